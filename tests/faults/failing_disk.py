"""A disk that fills up, and one that takes no writes any more, under a daemon's feet; and its users meanwhile."""

import asyncio
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import aiohttp
import psutil

from tests.faults.daemon_process import Daemon

BLOCK = 65_536


class Disk(Protocol):
    """What a daemon's files are on."""

    def fill(self, daemon: Daemon) -> None:
        """Nothing more can be written."""

    def free(self, daemon: Daemon) -> None:
        """As before."""


class SmallDisk:
    """A file system of its own, of some MiB, with all that a daemon has: its store, its log, its folder."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self, daemon: Daemon) -> None:
        """To the last byte."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (BLOCK, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def free(self, daemon: Daemon) -> None:
        """Somebody made room."""
        self._filler.unlink()


class ShortFiles:
    """No file of the daemon may grow any more: the same for who may not mount anything."""

    def fill(self, daemon: Daemon) -> None:
        """No file may be longer than the longest is."""
        longest = max(path.stat().st_size for path in daemon.state.iterdir())
        self._limit(daemon, longest)

    def free(self, daemon: Daemon) -> None:
        """As long as they like."""
        self._limit(daemon, psutil.Process(daemon.pid).rlimit(psutil.RLIMIT_FSIZE)[1])

    @staticmethod
    def _limit(daemon: Daemon, size: int) -> None:
        process = psutil.Process(daemon.pid)
        process.rlimit(psutil.RLIMIT_FSIZE, (size, process.rlimit(psutil.RLIMIT_FSIZE)[1]))


@contextmanager
def small_disk(folder: Path, size: str = "32m") -> Iterator[Path]:
    """A folder that is a file system of its own. Root only."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def why_no_mount() -> str:
    """Why a file system cannot be mounted here; empty where it can."""
    return "" if os.geteuid() == 0 else "mounts a file system, which is for root only"


def why_not_immutable(folder: Path) -> str:
    """Why files here cannot be made immutable, for their open handles too; empty where they can."""
    probe = folder / "probe"
    handle = os.open(probe, os.O_RDWR | os.O_CREAT)
    try:
        with immutable(probe):
            os.write(handle, b"x")
    except OSError as error:
        return "" if error.errno == errno.EPERM else f"chattr: {error}"
    except (subprocess.CalledProcessError, FileNotFoundError):
        return "no file can be made immutable here: that takes root, chattr and ext4 or the like"
    finally:
        os.close(handle)
        probe.unlink()
    return "this file system does not mind an immutable file's being written to"


@contextmanager
def immutable(*paths: Path) -> Iterator[None]:
    """Files, or a folder, that nobody can write to, root and whoever has them open included."""
    names = [str(path) for path in paths]
    subprocess.run(["chattr", "+i", *names], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *names], check=True, capture_output=True)


class Askers:
    """Clients of the bot `shop`, who ask again with the same id until they are answered."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self._daemon = daemon
        self._session = session
        self._away = asyncio.Event()
        self.answers: dict[str, str] = {}

    async def ask(self, event: str) -> None:
        """Ask; what it is answered joins `answers`."""
        url = f"{self._daemon.url}/api/bots/webhook/custom/shop"
        body = {"text": event, "user_id": event, "message_id": event}
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with self._session.post(url, json=body) as response:
                    told = await response.json()
                    if response.status == 200:
                        assert self.answers.setdefault(event, told["turn_id"]) == told["turn_id"]
                        return
                    assert response.status in {503, 504}, told
                    self._away.set()
            await asyncio.sleep(0.02)

    async def turned_away(self) -> None:
        """Wait until somebody was told to come again."""
        await self._away.wait()

    async def ready(self) -> int:
        """The status of /health/ready."""
        async with self._session.get(f"{self._daemon.url}/health/ready") as response:
            await response.read()
            return response.status
