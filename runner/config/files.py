"""A file is replaced in one step: whoever reads it sees the old content or the new, after a crash too.

Whoever reads several files, or one to change it, is alone in their folder for that time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def replace_file(
    path: Path,
    content: bytes,
    mode: int,
    *,
    owner: tuple[int, int] | None = None,
    still_wanted: Callable[[], bool] = lambda: True,
) -> bool:
    """Put `content` in the file's place, following links; False where it was not wanted any more.

    Args:
        path: the file; it need not be there yet, its folder must.
        content: all of it.
        mode: its permissions.
        owner: user and group id, kept as far as we may.
        still_wanted: asked at the last moment.

    Raises:
        OSError: nothing was changed.
    """
    target = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if owner is not None:
                with contextlib.suppress(PermissionError):  # only root gives files away
                    os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if not still_wanted():
            return False
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _sync_folder(target.parent)
    return True


def owner_of(path: Path) -> tuple[int, int]:
    """User and group id: what root puts into another's folder belongs to that other. Raises OSError."""
    status = path.stat()
    return status.st_uid, status.st_gid


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process, and nobody else in this one, is in here. Raises OSError.

    The lock is the kernel's and goes with its holder, however that ends.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
