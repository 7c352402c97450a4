"""A tool server that is a program: how it is started, spoken to line by line, and ended.

    stop    its input is closed ─▶ SIGTERM ─▶ SIGKILL        each after `grace_s` of waiting, to all that it started

Rules: it sees PATH, HOME, LANG and what bots.yaml gives it, nothing else of the daemon's surroundings; it is the head
of a process group of its own, which is gone when it is; it is tied to the daemon (`leash`), so that no death of the
daemon leaves it behind. A line is at most `LONGEST_LINE` bytes: what a program sends can fill no memory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from runner.bots import ToolServer
from runner.tool_servers.leash import NOT_FOUND, NOT_STARTED
from runner.tool_servers.link import Lost

LONGEST_LINE = 4 * 1024 * 1024
GRACE_S = 2.0
_INHERITED = ("PATH", "HOME", "LANG")
_LEASH = Path(__file__).with_name("leash.py")
_WORDS = {NOT_FOUND: "its command was not found", NOT_STARTED: "its command could not be started"}


class Child:
    """A program that runs; made by `started`."""

    def __init__(self, process: Process, transport: asyncio.SubprocessTransport, grace_s: float) -> None:
        self._process = process
        self._transport = transport
        self._grace_s = grace_s

    @property
    def pid(self) -> int:
        """Of the program, and of its process group."""
        return self._process.pid

    async def lines(self) -> AsyncIterator[bytes]:
        """What it says, until it says no more. Raises Lost at a line that is too long."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with pipes
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:
                raise Lost(f"it sent a line of more than {LONGEST_LINE} bytes") from None
            if not line:
                return
            yield line

    async def complaints(self) -> AsyncIterator[str]:
        """What it writes to its standard error, line by line; what is too long for a line is left out."""
        assert self._process.stderr is not None  # noqa: S101 - it was started with pipes
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:
                continue
            if not line:
                return
            yield line.decode(errors="replace").rstrip()

    async def write(self, line: bytes) -> None:
        """Say something. Raises OSError where it listens no more; waits while it does not read."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with pipes
        self._process.stdin.write(line)
        await self._process.stdin.drain()

    async def epitaph(self) -> str:
        """Why it says no more: how it ended, if it did."""
        await self._is_over(self._grace_s)
        code = self._process.returncode
        if code is None:
            return "it closed its output"
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return _WORDS.get(code, f"it ended (exit code {code})")

    async def stop(self) -> None:
        """End it and all that it started; done when it is over. At the latest when cancelled, it is killed."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if not await self._is_over(self._grace_s):
                self._signal(signal.SIGTERM)
                await self._is_over(self._grace_s)
        finally:
            self._signal(signal.SIGKILL)  # whoever of its group is left
        await self._is_over(self._grace_s)
        self._transport.close()

    async def _is_over(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def started(
    server: ToolServer, folder: Path, environ: Mapping[str, str], grace_s: float = GRACE_S
) -> Child:
    """Start the server's program in `folder`.

    Args:
        environ: the daemon's own; of it, little is handed on.

    Raises:
        Lost: there is no such program, or it cannot be started.
    """
    env = {name: environ[name] for name in _INHERITED if name in environ}
    env |= {name: value.reveal() for name, value in server.env.items()}
    program = _found(server.command[0], folder, env.get("PATH"))
    loop = asyncio.get_running_loop()
    try:
        transport, streams = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=LONGEST_LINE, loop=loop),
            *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), program, *server.command[1:]),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=env,
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise Lost(f"it could not be started: {error.strerror}") from None
    return Child(Process(transport, streams, loop), transport, grace_s)


def _found(program: str, folder: Path, path: str | None) -> str:
    """Where the program is; a path starts at `folder`. Raises Lost where there is none."""
    given = str(folder / program) if os.sep in program else program
    found = shutil.which(given, path=path)
    if found is None:
        raise Lost(f"there is no program {program}")
    return found
