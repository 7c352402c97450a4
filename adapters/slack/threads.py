"""Which threads of channels are ours, so that a user need not mention the bot in each reply.

Rules: a thread is ours once we said something in it, or where its first message mentions us. What this process does
not know is asked of Slack once and kept, for the `MOST` threads last heard of. Where Slack will not tell (a scope is
missing, the thread is gone) a thread is not ours; where it cannot tell now, Unreachable is raised and the message
comes again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.client import Client, Refused
from adapters.slack.wire import Me

MOST = 2000
_PAGE = 200

_Thread = tuple[str, str]


class Threads:
    """What one bot knows of threads."""

    __slots__ = ("_client", "_ours")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ours: OrderedDict[_Thread, bool] = OrderedDict()

    def join(self, channel: str, thread: str) -> None:
        """We said something there."""
        self._note((channel, thread), ours=True)

    async def ours(self, channel: str, thread: str, me: Me) -> bool:
        """Whether the thread is ours. Raises RefusedConnection or Unreachable."""
        known = self._ours.get((channel, thread))
        if known is None:
            known = await self._ask(channel, thread, me)
        self._note((channel, thread), ours=known)
        return known

    async def _ask(self, channel: str, thread: str, me: Me) -> bool:
        fields = {"channel": channel, "ts": thread, "limit": _PAGE}
        try:
            answer = await self._client.call("conversations.replies", fields)
        except Refused:
            return False
        messages = answer.get("messages")
        said = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
        return any(one.get("user") == me.user for one in said) or _mentions(said[:1], me)

    def _note(self, thread: _Thread, *, ours: bool) -> None:
        self._ours[thread] = ours
        self._ours.move_to_end(thread)
        if len(self._ours) > MOST:
            self._ours.popitem(last=False)


def _mentions(messages: Sequence[Mapping[str, Any]], me: Me) -> bool:
    return any(me.mention.search(str(one.get("text") or "")) is not None for one in messages)
