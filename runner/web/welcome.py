"""The first start of all: a link to the dashboard is printed once, for whoever set the daemon up.

Rule: a state folder is welcomed once; where the sign of that cannot be kept, nobody is welcomed, rather than anew at
each start.
"""

from __future__ import annotations

import os
from pathlib import Path

from runner.clock import UnixMs
from runner.web.seals import link_to, new_link

FILE = "dashboard.welcomed"


def first_link(state_dir: Path, secret: bytes, address: str, now_ms: UnixMs) -> str | None:
    """A login link where this is the first start in that state folder, else None."""
    try:
        os.close(os.open(state_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return None
    return link_to(address, new_link(secret, now_ms))
