"""How many rows a statement changed."""

from __future__ import annotations


def changed(status: str) -> int:
    """Rows written or removed, from what the server said: `DELETE 3`, `INSERT 0 1`."""
    return int(status.rpartition(" ")[2])
