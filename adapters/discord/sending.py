"""Messages on their way out: into a channel, or as the answer to a command.

Rules: what became of a message is told from what is certain; only where nothing was done may it go again, and a
message in a channel always may, for Discord knows it by its nonce and does not double it.

| what is sent                  | how                                             | again                     |
|-------------------------------|-------------------------------------------------|---------------------------|
| in a channel                  | POST, `nonce` and `enforce_nonce`               | same nonce, never doubled |
| a command's answer, 1st part  | edits the placeholder that Discord shows        | the same edit             |
| an answer that was drafted    | edits the message that shows the draft          | the same edit             |
| a command's other parts       | in the channel; where that is closed: follow-up | nonce; follow-ups may     |
| a command's answer, too late  | in the channel                                  | same nonce                |

| Discord's answer    | result                                                       |
|---------------------|--------------------------------------------------------------|
| 200                 | Sent(id)                                                     |
| no connection       | NotSent, our own back-off                                    |
| 429, a known limit  | NotSent after its seconds; the whole bot where it is global  |
| 400, 403, 404       | Rejected with Discord's words                                |
| 401                 | NotSent: the token is dead, a person will bring another      |
| anything else       | FateUnknown                                                  |
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Timer
from adapters.discord import wire
from adapters.discord.client import Client, NotConnected, Refused, SlowDown
from adapters.errors import AdapterError, RefusedConnection
from adapters.messages import FateUnknown, NotSent, OutboundMessage, Rejected, SendResult, Sent

_DEAD_TOKEN_RETRY_S = 60.0
_MOST_ASKED = 1000
_MOST_DRAFTS = 500
_EARLIER_MS = 3000
_YOUNG_S = 10.0
_UNSEEN_YOUNG_S = 5.0
"""The same for a command that we did not see come in; Discord waits three seconds for its acknowledgement."""
_AGAIN_S = 1.0
_NOT_FOUND, _FORBIDDEN, _UNAUTHORIZED = 404, 403, 401


@dataclass(slots=True)
class _Asked:
    """A command that is being answered. `key`: the part that went into the placeholder."""

    begun_at: float
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    key: str | None = None


class Outgoing:
    """What one bot sends. Raises nothing but cancellation."""

    __slots__ = ("_asked", "_client", "_drafts", "_timer")

    def __init__(self, client: Client, timer: Timer) -> None:
        self._client = client
        self._timer = timer
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._drafts: OrderedDict[str, str] = OrderedDict()

    def asked(self, interaction: str) -> asyncio.Event:
        """A command came in. Its answer waits for the event: Discord takes none before its acknowledgement."""
        known = self._asked.get(interaction)
        if known is None:
            known = self._asked[interaction] = _Asked(self._timer.monotonic())
            while len(self._asked) > _MOST_ASKED:
                _, oldest = self._asked.popitem(last=False)
                oldest.acknowledged.set()
        return known.acknowledged

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part; see the tables above."""
        if not (message.chat.id.isascii() and message.chat.id.isdigit()):
            return Rejected("no channel of Discord has this id")
        try:
            if "interaction" in message.details:
                return await self._answer(message)
            return await self._post(message)
        except AdapterError as error:
            return _fate(error)

    async def draft(self, message: OutboundMessage) -> None:
        """Show an answer while it grows, in the message or the placeholder that it will be in."""
        try:
            if "interaction" in message.details:
                await self._draft_answer(message)
            else:
                await self._draft_post(message)
        except AdapterError:
            return  # the next one shows more, and `send` all of it

    async def _draft_answer(self, message: OutboundMessage) -> None:
        asked = self._asked.get(str(message.details["interaction"]))
        if asked is None or asked.key not in (None, message.key) or not asked.acknowledged.is_set():
            return
        asked.key = message.key
        hook = f"/webhooks/{message.details['application']}/{message.details['token']}"
        await self._client.call("PATCH", f"{hook}/messages/@original", wire.answer_fields(message))

    async def _draft_post(self, message: OutboundMessage) -> None:
        path = f"/channels/{message.chat.id}/messages"
        number = self._drafts.get(message.key)
        if number is not None:
            await self._client.call("PATCH", f"{path}/{number}", wire.answer_fields(message))
            return
        made = _receipt(await self._client.post(path, wire.message_fields(message)))
        if isinstance(made, Sent) and made.platform_id is not None:
            self._drafts[message.key] = made.platform_id
            while len(self._drafts) > _MOST_DRAFTS:
                self._drafts.popitem(last=False)

    async def _post(self, message: OutboundMessage) -> SendResult:
        path = f"/channels/{message.chat.id}/messages"
        number = self._drafts.get(message.key)
        if number is None:
            fields = wire.message_fields(message)
            made = await self._client.post(path, fields)
            if not self._is_draft(made, str(fields["content"])):
                return _receipt(made)
            number = str(made["id"])  # of before a restart: Discord knows its nonce
        result = _receipt(await self._client.call("PATCH", f"{path}/{number}", wire.answer_fields(message)))
        self._drafts.pop(message.key, None)
        return result

    def _is_draft(self, made: Any, content: str) -> bool:  # noqa: ANN401 - whatever the platform sent
        """Whether Discord gave back an earlier message with this nonce, which says less than it should."""
        now = self._client.now_ms()
        try:
            earlier = now is not None and wire.snowflake_ms(made["id"]) < now - _EARLIER_MS
            return earlier and str(made["content"]).strip() != content.strip()
        except (KeyError, TypeError, ValueError):
            return False

    async def _answer(self, message: OutboundMessage) -> SendResult:
        asked = self._asked.get(str(message.details["interaction"]))
        if asked is not None:
            await asked.acknowledged.wait()
        hook = f"/webhooks/{message.details['application']}/{message.details['token']}"
        try:
            placeholder = await self._placeholder(message, asked, hook)
        except Refused as refused:
            if refused.status not in (_UNAUTHORIZED, _NOT_FOUND):
                raise
            if self._is_young(message, asked):
                return NotSent("Discord has not yet shown the placeholder", retry_after_s=_AGAIN_S)
            return await self._post(message)  # the command is too old, or was never acknowledged
        return await self._further(message, hook) if placeholder is None else placeholder

    def _is_young(self, message: OutboundMessage, asked: _Asked | None) -> bool:
        """Whether its command may still be acknowledged, by us or by another daemon that took it in."""
        if asked is not None:
            return self._timer.monotonic() - asked.begun_at < _YOUNG_S
        now = self._client.now_ms()
        try:
            return (
                now is not None
                and now - wire.snowflake_ms(message.details["interaction"]) < _UNSEEN_YOUNG_S * 1000
            )
        except (TypeError, ValueError):
            return False

    async def _placeholder(
        self, message: OutboundMessage, asked: _Asked | None, hook: str
    ) -> SendResult | None:
        """Put a part into the placeholder; None where another part is in it already."""
        original = f"{hook}/messages/@original"
        fields = wire.answer_fields(message)
        if asked is None or asked.key not in (None, message.key):
            if asked is not None:
                return None
            shown = await self._client.get(original)  # a restart has forgotten how far it came
            if not isinstance(shown, dict) or not int(shown.get("flags") or 0) & wire.LOADING:
                same = isinstance(shown, dict) and shown.get("content") == str(fields["content"]).strip()
                return _receipt(shown) if same else None
        else:
            asked.key = message.key
        return _receipt(await self._client.call("PATCH", original, fields))

    async def _further(self, message: OutboundMessage, hook: str) -> SendResult:
        try:
            return await self._post(message)
        except Refused as refused:
            if refused.status not in (_FORBIDDEN, _NOT_FOUND):
                raise
        return _receipt(await self._client.post(hook, wire.answer_fields(message)))


def _receipt(raw: Any) -> SendResult:  # noqa: ANN401 - whatever the platform sent
    number = raw.get("id") if isinstance(raw, dict) else None
    return Sent(number) if isinstance(number, str) else FateUnknown("Discord's answer names no message")


def _fate(error: AdapterError) -> SendResult:
    match error:
        case Refused():
            return Rejected(str(error))
        case SlowDown():
            return NotSent(str(error), retry_after_s=error.retry_after_s, whole_bot=error.whole_bot)
        case NotConnected():
            return NotSent(str(error))
        case RefusedConnection():
            return NotSent(str(error), retry_after_s=_DEAD_TOKEN_RETRY_S, whole_bot=True)
        case _:
            return FateUnknown(str(error))
