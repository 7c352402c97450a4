"""Who is measured: a daemon with two bots on the echo provider, and the bare handler; each on one core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load.stage import Stage, Taken
from bench.load.subjects import Running, Subject, running

PATH = "/api/bots/webhook/custom"
BOT, OTHER_BOT = "bot1", "bot2"
"""The bot that is asked, and the one that is besieged."""

_FILE = """
server: {port: 0}
reload: "off"
defaults:
  llm_provider: echo
  llm_model: echo
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
  bot1: {platform: custom}
  bot2: {platform: custom}
"""


def _daemon(_: Stage, __: Sequence[Taken], folder: Path) -> tuple[list[str], Mapping[str, str]]:
    file = folder / "bots.yaml"
    file.write_text(_FILE)
    return ["-m", "runner", "run", "--config", str(file)], {"BOTRUNNER_LOG": "info"}


def _bare(_: Stage, __: Sequence[Taken], ___: Path) -> tuple[list[str], Mapping[str, str]]:
    return ["-m", "bench.http.bare"], {}


DAEMON = Subject("botrunner", _daemon)
BARE = Subject("bare", _bare)


@dataclass(frozen=True, slots=True)
class Server:
    """A subject that listens. `url`: without a path."""

    running: Running
    url: str

    def hook(self, bot: str = BOT) -> str:
        """Where a bot is written to."""
        return f"{self.url}{PATH}/{bot}"


@asynccontextmanager
async def served(subject: Subject, core: int | None) -> AsyncIterator[Server]:
    """The subject, listening, on that core alone where one is given."""
    async with running(subject, Stage(), []) as process:
        url = await process.url()
        if core is not None:
            for thread in process.process.threads():  # those to come inherit it
                os.sched_setaffinity(thread.id, {core})
        yield Server(process, url)


@contextmanager
def core_apart() -> Iterator[int | None]:
    """A core for the servers, which this process and the clients that it starts leave alone; None: there is none."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if len(cores) < 2:
        yield None
        return
    core = min(cores)
    os.sched_setaffinity(0, cores - {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, cores)
