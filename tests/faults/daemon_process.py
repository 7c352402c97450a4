"""A daemon as a process of its own, on real sockets, that can be killed and started again at once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from runner.presence import read_presence

ROOT = Path(__file__).parents[2]
GLANCE_S = 0.005


class Daemon:
    """One after another on the same file and state folder, forked from a zygote."""

    def __init__(self, folder: Path, config: str) -> None:
        self.config = folder / "bots.yaml"
        self.config.write_text(config)
        self.state = folder / "state"
        self.log = folder / "log"
        self.pid = 0
        self.url = ""
        self._zygote: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._zygote is not None
        self._zygote.communicate(timeout=60)

    async def start(self) -> None:
        """Fork a daemon; it is not ready yet."""
        zygote = self._zygote
        assert zygote is not None
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        zygote.stdin.write(f"{self.config}|{self.state}|{self.log}\n")
        zygote.stdin.flush()
        self.pid = int(await asyncio.to_thread(zygote.stdout.readline))

    async def ready(self, timeout_s: float = 60.0) -> None:
        """Wait until it says that it is ready."""
        async with asyncio.timeout(timeout_s):
            while (found := read_presence(self.state)) is None or found.pid != self.pid:
                if not self.alive():
                    raise AssertionError(f"the daemon ended:\n{self.log.read_text()[-3000:]}")
                await asyncio.sleep(GLANCE_S)
        self.url = found.url

    def alive(self) -> bool:
        """Whether anything of it runs: after a kill its threads may be busy for a while, and it holds its store."""
        return self.pid != 0 and psutil.pid_exists(self.pid)

    def kill(self) -> None:
        """kill -9."""
        if self.alive():
            with suppress(ProcessLookupError):  # it may end after that look
                os.kill(self.pid, signal.SIGKILL)

    async def gone(self, timeout_s: float = 60.0) -> None:
        """Wait until it has ended."""
        async with asyncio.timeout(timeout_s):
            while self.alive():  # noqa: ASYNC110 - another process's end rings no bell here
                await asyncio.sleep(GLANCE_S)

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        os.kill(self.pid, signal.SIGTERM)
        await self.gone()

    def events(self, name: str) -> list[dict[str, object]]:
        """The log's lines of that name."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        parsed = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in parsed if line.get("event") == name]
