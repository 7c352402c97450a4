"""The daemon's sign: `daemon.json` in the state folder tells the command line where it is.

Rule: written when the daemon is ready, removed when it stops; after a kill it is stale, so a reader asks the
address, too.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILE = "daemon.json"


@dataclass(frozen=True, slots=True)
class Presence:
    """`started_at` in ISO 8601, UTC."""

    state_dir: Path
    pid: int
    url: str
    started_at: str

    def announce(self) -> None:
        """Write the file in one step.

        Raises:
            OSError: it cannot be written; nothing is left of it.
        """
        path = self.state_dir / FILE
        fresh = path.with_suffix(f".{self.pid}")
        try:
            fresh.write_text(json.dumps({"pid": self.pid, "url": self.url, "started_at": self.started_at}))
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise

    def withdraw(self) -> None:
        """Remove it, if it is still ours; one that cannot be removed is stale, as after a kill."""
        found = read_presence(self.state_dir)
        if found is not None and found.pid == self.pid:
            with suppress(OSError):
                (self.state_dir / FILE).unlink(missing_ok=True)


def read_presence(state_dir: Path) -> Presence | None:
    """What the file says; None where there is none that can be read."""
    try:
        raw = json.loads((state_dir / FILE).read_text())
        return Presence(state_dir, int(raw["pid"]), str(raw["url"]), str(raw["started_at"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
