"""One daemon a store: a locked file beside the database.

Rule: the lock is the kernel's (flock), so it goes with its holder however that ends; the file itself stays and
holds the pid of the last holder, for people.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runner.errors import StoreRefused


class FileLock:
    """Held from `take` until `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it at once.

        Raises:
            StoreRefused: somebody else has it, or the file cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreRefused(f"{self._path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreRefused(
                f"{self._database} is in use by another daemon (pid {holder}): stop it or use another store",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; again: does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
