"""The first start of all: a link to the dashboard is printed once, for whoever set the daemon up.

Rule: a state folder is welcomed once, and so is a store that daemons share; where the sign of that cannot be kept,
nobody is welcomed, rather than anew at each start.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from runner.clock import UnixMs
from runner.errors import StoreError
from runner.ports.stores import Store
from runner.web.seals import link_to, new_link

FILE = "dashboard.welcomed"
KEY = "server/welcomed"


async def first_link(
    store: Store, state_dir: Path, secret: bytes, address: str, now_ms: UnixMs
) -> str | None:
    """A login link where this is the first start of all, else None."""
    first = _is_new(state_dir) if store.fleet is None else await _is_first(store, now_ms)
    return link_to(address, new_link(secret, now_ms)) if first else None


def _is_new(state_dir: Path) -> bool:
    try:
        os.close(os.open(state_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True


async def _is_first(store: Store, now_ms: UnixMs) -> bool:
    mine = secrets.token_hex(8)
    try:
        return await store.values.put_new(KEY, mine, now_ms) == mine
    except StoreError:
        return False
