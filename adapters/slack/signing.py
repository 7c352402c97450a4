"""Whether a post is from Slack. Pure.

Rules: the signature is over the raw bytes; a time that is no number, or further than five minutes from ours, makes
a wrong signature and never an exception; the comparison takes the same time wherever the difference is.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.signatures import same, sha256_hex

WINDOW_S = 300
_LONGEST_TIME = 12


def is_from_slack(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Check a post.

    Args:
        headers: with names in lower case.
        now_s: Unix seconds.
    """
    time, given = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (time.isascii() and time.isdigit() and len(time) <= _LONGEST_TIME):
        return False
    return abs(now_s - int(time)) <= WINDOW_S and same(given, signature(secret, time, body))


def signature(secret: str, time: str, body: bytes) -> str:
    """What Slack's header X-Slack-Signature says of a body posted at that time."""
    return "v0=" + sha256_hex(secret, b"v0:" + time.encode() + b":" + body)
