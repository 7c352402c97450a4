"""Signatures of what is posted to us, checked over the raw bytes.

Rules: the compared texts are bytes, since `compare_digest` raises on text that is not ASCII and a sender may
send anything; the comparison takes the same time wherever the first difference is; a malformed signature is
a wrong one and never an exception.
"""

from __future__ import annotations

import hashlib
import hmac


def same(given: str, wanted: str) -> bool:
    """Whether both texts are equal, in constant time. A lone surrogate equals nothing."""
    try:
        return hmac.compare_digest(given.encode(), wanted.encode())
    except UnicodeEncodeError:
        return False


def sha256_hex(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body under the secret, lower-case hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether `signature` (`sha256=<hex>` or the bare hex, in either case) is that of the body."""
    return same(signature.strip().lower().removeprefix("sha256="), sha256_hex(secret, body))
