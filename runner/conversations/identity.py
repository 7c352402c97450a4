"""Which conversation a message belongs to.

Rules: a conversation is one user's (or one channel's) with one bot on one of its channels; its key is also
the lane in which its messages are worked on, one after the other. Idle longer than the TTL, the next
message starts a new conversation under the same key.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import quote

LONGEST = 1500
"""Characters of a lane's name: an index of PostgreSQL takes no row of more than 2,700 bytes."""


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """Bot + channel + place + user. `user` is None where everybody in the place shares one conversation."""

    bot: str
    channel: str
    place: str
    user: str | None

    @property
    def text(self) -> str:
        """One text of `LONGEST` characters at most, equal exactly when the keys are equal; used as the lane's name."""
        whole = "|".join(
            quote(part, safe="")
            for part in (self.bot, self.channel, self.place, *([] if self.user is None else [self.user]))
        )
        if len(whole) <= LONGEST:
            return whole
        digest = f"#{sha256(whole.encode('ascii')).hexdigest()}"  # nothing that is quoted has a #
        return whole[: LONGEST - len(digest)] + digest


def key_of(
    bot: str, channel: str, place: str, user: str, scope: Literal["user", "channel"]
) -> ConversationKey:
    """The key of a message from `user` in `place`."""
    return ConversationKey(bot, channel, place, user if scope == "user" else None)


def is_over(last_at_ms: int, now_ms: int, ttl_ms: int) -> bool:
    """Whether a conversation has been idle for longer than its TTL. A clock that went back ends nothing."""
    return now_ms - last_at_ms > ttl_ms
