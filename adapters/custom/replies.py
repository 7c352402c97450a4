"""Answers that are posted to the caller's own address, signed.

| the address answers         | result                                                              |
|-----------------------------|---------------------------------------------------------------------|
| 2xx                         | Sent                                                                |
| 400, 410, 413, 415, 422     | Rejected: it will never take this answer                            |
| 429, 503                    | NotSent, after its Retry-After                                      |
| anything else, no answer    | NotSent: posted again with the same `Idempotency-Key`, later        |

Rules: an answer is posted until it is taken or refused, one of a chat after the other; it may come twice, and
`message_id` tells. The address is told to nobody: it may hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.custom.wire import encoded, facts
from adapters.messages import NotSent, OutboundMessage, Rejected, SendResult, Sent
from adapters.signatures import sha256_hex

if TYPE_CHECKING:
    from adapters.http import Shared

_REFUSALS = frozenset({400, 410, 413, 415, 422})
_PAUSES = frozenset({429, 503})
_LONGEST_PAUSE_S = 3600.0
SIGNATURE = "X-Signature-256"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a connection and for an answer, in seconds."""

    connect_s: float = 10.0
    call_s: float = 20.0


class Replies:
    """The address.

    Args:
        secret: signs what is posted.
    """

    __slots__ = ("_patience", "_secret", "_shared", "_url")

    def __init__(self, url: str, secret: str, shared: Shared, patience: Patience) -> None:
        self._url = url
        self._secret = secret
        self._shared = shared
        self._patience = patience

    async def post(self, message: OutboundMessage) -> SendResult:
        """Post one answer; see the table above. Raises nothing but cancellation."""
        import aiohttp  # noqa: PLC0415 - not every custom bot calls anybody

        event_id = message.in_reply_to or message.key
        body = encoded({**facts(event_id, message), "channel_id": message.chat.id})
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.key,
            SIGNATURE: f"sha256={sha256_hex(self._secret, body)}",
        }
        timeout = aiohttp.ClientTimeout(total=self._patience.call_s, connect=self._patience.connect_s)
        try:
            async with self._shared.session.post(
                self._url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return _result(event_id, response.status, response.headers)
        except TimeoutError:
            return NotSent(f"reply_url did not answer within {self._patience.call_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NotSent(f"reply_url cannot be reached: {type(error).__name__}")


def _result(event_id: str, status: int, headers: Mapping[str, str]) -> SendResult:
    why = f"reply_url answered {status}"
    if status // 100 == 2:  # noqa: PLR2004 - the class of those that took it
        return Sent(event_id)
    if status in _REFUSALS:
        return Rejected(why)
    asked = headers.get("Retry-After", "") if status in _PAUSES else ""
    known = asked.isascii() and asked.isdigit()
    return NotSent(why, retry_after_s=min(float(asked), _LONGEST_PAUSE_S) if known else None)
