"""Small signed texts that go out and come back: a session's cookie, a login link.

    payload.signature     payload: base64url of JSON, with `ends_ms`     signature: HMAC-SHA256 of purpose and payload

Rules: the key is the secret of the admin tokens, so what is signed outlives a restart and the command line can make
a link; a text that was signed for one purpose is nothing for another; comparisons take the same time whatever is
wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any, Literal

Purpose = Literal["session", "link"]
LINK_MS = 15 * 60_000
"""How long a login link may be used, once."""
LONGEST = 1000


def seal(secret: bytes, purpose: Purpose, claims: dict[str, Any]) -> str:
    """The claims, signed. They have `ends_ms`, Unix ms."""
    payload = _packed(json.dumps(claims, separators=(",", ":")).encode())
    return f"{payload}.{signature(secret, purpose, payload)}"


def unseal(secret: bytes, purpose: Purpose, text: str, now_ms: int) -> dict[str, Any] | None:
    """The claims; None where they were not signed here for this purpose, or have ended."""
    payload, _, given = text.partition(".")
    if len(text) > LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(given, signature(secret, purpose, payload)):
        return None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims if claims["ends_ms"] > now_ms else None


def signature(secret: bytes, purpose: str, text: str) -> str:
    """What only who knows the secret can say of this text."""
    return _packed(hmac.new(secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest())


def new_link(secret: bytes, now_ms: int) -> str:
    """A login link's key: good once and for a while, at whichever daemon has this secret."""
    return seal(secret, "link", {"id": secrets.token_hex(16), "ends_ms": now_ms + LINK_MS})


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def link_to(address: str, key: str) -> str:
    """What a browser is given: `address` is the server's."""
    return f"{address.rstrip('/')}/login?token={key}"
