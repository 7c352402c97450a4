"""One daemon a store: a locked file beside the database.

Rules: the lock is the kernel's (flock), so it goes with its holder however that ends; the file itself stays and
holds the pid of the last holder. A killed process holds it until the last of its threads is back from the disk:
whoever starts meanwhile waits for that, and for nothing else.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from threading import Event

from runner.errors import StoreRefused

DYING_LOOK_S = 0.02
DYING_LOOKS = 500
"""Ten seconds: a disk that takes longer to let a dead process go has other troubles."""


class FileLock:
    """Held from `take` until `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it at once, or as soon as a holder that is dying is gone.

        Raises:
            StoreRefused: somebody else has it, or the file cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreRefused(f"{self._path} cannot be opened: {error.strerror}") from None
        moment = Event()
        for _ in range(DYING_LOOKS):
            taken = _is_taken(descriptor)
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            if taken or not is_dying(holder):
                break
            moment.wait(DYING_LOOK_S)
        if not taken:
            os.close(descriptor)
            raise StoreRefused(
                f"{self._database} is in use by another daemon (pid {holder}): stop it or use another store",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; again: does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_taken(descriptor: int) -> bool:
    """Whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_dying(pid: str) -> bool:
    """Whether that process has ended and only its threads, or whoever looks after it, have not noticed yet."""
    if not pid.isdecimal():
        return False
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return Path("/proc/self/stat").exists()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[:1] in (["Z"], ["X"])
