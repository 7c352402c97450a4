"""Who is measured: each a process of its own, and what it costs the machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench.load.stage import Stage, Taken
from runner.presence import read_presence

ROOT = Path(__file__).parents[2]
MIB = 2**20
STOP_S = 20.0
GLANCE_S = 0.005
_PROCESS_CLOCK = 2
"""What Linux makes of a pid and this is the id of that process's clock (`clock_getcpuclockid`)."""

_FILE = """
server: {{port: 0}}
reload: "off"
providers: {{house: {{kind: openai, base_url: "{model}", api_key: key}}}}
prices: {{m: {{input: "0.10", output: "0.40"}}}}
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 512
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A subject's process. `state`: its folder, where it writes down its address if it has one."""

    process: psutil.Process
    state: Path

    def cpu_s(self) -> float:
        """Processor time so far, user and system, seconds. The kernel's clock of that process counts nanoseconds."""
        return time.clock_gettime((~self.process.pid << 3) | _PROCESS_CLOCK)

    def rss_mib(self) -> float:
        """Resident memory now."""
        return float(self.process.memory_info().rss) / MIB

    async def url(self) -> str:
        """Where it listens, as soon as it does."""
        while (found := read_presence(self.state)) is None:  # noqa: ASYNC110 - another process's file rings no bell
            await asyncio.sleep(GLANCE_S)
        return found.url


@dataclass(frozen=True, slots=True)
class Subject:
    """A name, and how to start it: (stage, its bots, an empty folder) -> arguments and variables."""

    name: str
    command: Callable[[Stage, Sequence[Taken], Path], tuple[list[str], Mapping[str, str]]]


def _daemon(stage: Stage, bots: Sequence[Taken], folder: Path) -> tuple[list[str], Mapping[str, str]]:
    entries = [
        f"  bot{bot.number}: {json.dumps({'platform': bot.platform, 'platform_config': bot.seat.config})}\n"
        for bot in bots
    ]
    file = folder / "bots.yaml"
    file.write_text(_FILE.format(model=stage.model.url) + "".join(entries))
    return ["-m", "runner", "run", "--config", str(file)], {}


def _module(name: str, stage: Stage, bots: Sequence[Taken], _: Path) -> tuple[list[str], Mapping[str, str]]:
    (bot,) = bots
    config = {key.upper(): value for key, value in bot.seat.config.items()}
    return ["-m", f"bench.load.{name}"], {
        **config,
        "PLATFORM": bot.platform,
        "MODEL_URL": stage.model.url,
    }


BOTRUNNER = Subject("botrunner", _daemon)
SCRIPT = Subject("script", partial(_module, "baseline"))
FLOOR = Subject("floor", partial(_module, "floor"))


def subjects_on(platform: str) -> tuple[Subject, ...]:
    """Who is measured there; the script is a Telegram bot."""
    return (BOTRUNNER, SCRIPT, FLOOR) if platform == "telegram" else (BOTRUNNER, FLOOR)


class Ended(Exception):
    """A subject ended in the middle of its round."""


@asynccontextmanager
async def running(subject: Subject, stage: Stage, bots: Sequence[Taken]) -> AsyncIterator[Running]:
    """The subject, started; stopped on leaving. What it wrote to stderr is shown where a round fails.

    Raises:
        Ended: in whoever plays the round, as soon as the subject ends by itself.
    """
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as name:
        folder = Path(name)
        state = folder / "state"
        state.mkdir()
        arguments, variables = subject.command(stage, bots, folder)
        variables = {**os.environ, **variables, "BOTRUNNER_STATE": str(state)}
        log = folder / "stderr"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, env=variables, stderr=stderr
            )
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(_end_of(process), name="subject")
                yield Running(psutil.Process(process.pid), state)
                watcher.cancel()
        except BaseException:
            sys.stderr.write(log.read_text()[-2000:])
            raise
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(STOP_S):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _end_of(process: asyncio.subprocess.Process) -> None:
    code = await process.wait()
    raise Ended(f"the subject ended with {code}")
