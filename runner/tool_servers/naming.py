"""What models call a server's tools. Pure.

Rule: `server__tool` wherever every model takes that; else its signs are replaced, and a digest of the server's own name
keeps two tools apart. The same tool has the same name for ever.
"""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 64
"""Characters, the strictest model's limit."""
_TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST = 8


def served_name(server: str, tool: str) -> str:
    """`orders__get_order`. `server`: as bots.yaml has it, at most 31 characters."""
    plain = f"{server}__{tool}"
    if _TAKEN.fullmatch(plain):
        return plain
    digest = sha256(tool.encode(errors="replace")).hexdigest()[:_DIGEST]
    room = LONGEST - len(server) - len("__") - len("_") - _DIGEST
    return f"{server}__{_NOT_TAKEN.sub('_', tool)[:room]}_{digest}"
