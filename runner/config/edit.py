"""bots.yaml is changed by a program: read, changed, checked, and only then replaced.

Rules: nothing of the file changes but what is asked for (`edit_text`). The file is replaced in one step (a new file
beside it, made durable, then renamed over it) with its mode kept; readers see the old text or the new one, never
half of one. A file that changed in the meantime, is read-only, or would get another fault is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from runner.config.edit_text import Put, with_changes
from runner.config.fields import MOST_CENTS
from runner.config.files import replace_file
from runner.config.loader import parse, sources_of
from runner.config.problems import Path as Where
from runner.config.problems import Problem, Problems
from runner.config.secrets import Secrets, read_text_file
from runner.config.settings import Loaded

Value: TypeAlias = str | int | float | bool | None
"""What `set_field` sets: one plain value."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The file as it was read: what a change starts from, and what must still be there when it is written."""

    path: Path
    text: str
    status: os.stat_result

    def replace(self, after: str) -> Problem | None:
        """Put the new text in the file's place, if it still holds the old one; what is wrong, else None."""
        file = str(self.path)
        try:
            done = replace_file(
                self.path,
                after.encode(),
                stat.S_IMODE(self.status.st_mode),
                owner=(self.status.st_uid, self.status.st_gid),
                still_wanted=lambda: read_text_file(self.path) == self.text,
            )
        except (OSError, ValueError) as fault:
            reason = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else str(fault)
            return Problem(file, 0, "", f"cannot be written: {reason}")
        message = "was changed by somebody else just now; nothing was written"
        return None if done else Problem(file, 0, "", message)


def snapshot(path: Path, *, to_write: bool = True) -> Snapshot | Problem:
    """The file as it is now, or why it cannot be read (or written)."""
    try:
        text = read_text_file(path)
        status = path.stat()
    except OSError as fault:
        return Problem(str(path), 0, "", f"cannot be read: {os.strerror(fault.errno or 0)}")
    except ValueError:
        return Problem(str(path), 0, "", "is not a UTF-8 text of at most 8 MiB")
    if to_write and (not status.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK)):
        return Problem(str(path), 0, "", "is read-only")
    return Snapshot(path, text, status)


def set_cap(
    path: Path, bot_id: str, cents: int | None, *, environ: Mapping[str, str], secrets: Secrets | None = None
) -> Problem | None:
    """Set a bot's `spending_cap_cents`, None: no cap. None where it was done, else why not.

    The value is set on the bot itself, also where it came from `defaults:` before.
    """
    if cents is not None and not 0 <= cents <= MOST_CENTS:
        return Problem(str(path), 0, "", f"a cap is a whole number of cents from 0 to {MOST_CENTS}")
    return set_field(path, ("bots", bot_id, "spending_cap_cents"), cents, environ=environ, secrets=secrets)


def set_field(
    path: Path,
    where: Where,
    value: Value,
    *,
    environ: Mapping[str, str],
    secrets: Secrets | None = None,
) -> Problem | None:
    """Set one plain value of the file; the mapping that holds it must be there. None where it was done.

    A change that would add a problem is refused with it. Problems that were there before do not hinder: who
    changes a cap need not have all the secrets that the daemon has.
    """
    before = snapshot(path)
    if isinstance(before, Problem):
        return before
    after = changed_text(before.text, str(path), where, value)
    if isinstance(after, Problem):
        return after
    sources = sources_of(path, environ, secrets)
    fresh = _new_problem(parse(before.text, str(path), sources), parse(after, str(path), sources))
    return fresh or before.replace(after)


def changed_text(text: str, file: str, where: Where, value: Value) -> str | Problem:
    """The text with that one value changed or added; pure."""
    return with_changes(text, file, [Put(where, value)])


def _new_problem(before: Loaded | Problems, after: Loaded | Problems) -> Problem | None:
    """The first problem that the file did not have before."""
    if isinstance(after, Loaded):
        return None
    old = {(p.path, p.message) for p in before.problems} if isinstance(before, Problems) else set()
    return next((p for p in after.problems if (p.path, p.message) not in old), None)
