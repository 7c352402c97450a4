"""A file is replaced in one step: whoever reads it sees the old content or the new, after a crash too."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
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


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
