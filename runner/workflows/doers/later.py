"""schedule_message and send_proactive: a text for later, or for another chat.

    node ─▶ errand, written with the turn's end ─▶ due ─▶ a message of its lane ─▶ said

Rules: it is owed once, whatever crashes, by the run and the step that owe it; no model is asked, so it costs nothing.
Where the platform lets a bot write for some time only after its user has (WhatsApp: 24 hours), it is the platform that
refuses what comes too late, and its refusal is listed like that of any other message. A chat of another of the bot's
connections is `connection:chat`, one of the same is its id, as in `{{channel_id}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from adapters.messages import ChatRef, InboundMessage
from runner.clock import MS_PER_DAY, Clock, UnixMs, iso
from runner.conversations.identity import key_of
from runner.ports.runs import Errand
from runner.workflows.doers.pausing import moment
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed

LONGEST_MS = 366 * MS_PER_DAY
LONGEST_TEXT = 20_000

SayPayload: TypeAlias = Callable[[str, InboundMessage], str]
"""An errand's payload that says this text where that message came from (`runner.dispatch.errands.wrap`)."""


class LaterDoer:
    """Does schedule_message and send_proactive."""

    def __init__(self, payload: SayPayload, clock: Clock) -> None:
        self._payload = payload
        self._clock = clock

    async def do(self, doing: Doing) -> Outcome:
        """Owe one text. The output is when it is due, ISO 8601."""
        text = str(doing.inputs["text"])
        if not text.strip():
            return Outcome(Failed("there is nothing to say: the text is empty"))
        if len(text) > LONGEST_TEXT:
            return Outcome(Failed(f"a text has at most {LONGEST_TEXT} characters, this one {len(text)}"))
        due_ms = self._due_ms(doing)
        if isinstance(due_ms, str):
            return Outcome(Failed(due_ms))
        channel, lane, message = _addressed(doing)
        if not message.chat.id:
            return Outcome(Failed("there is nobody to say it to: the channel is empty"))
        errand = Errand(
            key=f"{doing.run}.{doing.key}.say",
            bot=doing.bot.id,
            channel=channel,
            lane=lane,
            payload=self._payload(text, message),
            due_ms=due_ms,
            run=doing.run,
            user=doing.user,
        )
        return Outcome(Done(iso(due_ms)), errands=(errand,))

    def _due_ms(self, doing: Doing) -> UnixMs | str:
        """When, or why that is no time."""
        now_ms = self._clock.now_ms()
        at, delay_s = doing.inputs["at"], doing.inputs["delay_s"]
        if at is None:
            return UnixMs(now_ms + (round(delay_s * 1000) if isinstance(delay_s, int | float) else 0))
        due_ms = moment(str(at))
        if due_ms is None:
            return f"{str(at)[:60]!r} is no time, such as 2026-11-23T09:00:00Z"
        if due_ms - now_ms > LONGEST_MS:
            return f"{iso(UnixMs(due_ms))} is more than a year away"
        return UnixMs(max(due_ms, now_ms))


def _addressed(doing: Doing) -> tuple[str, str, InboundMessage]:
    """The connection, the lane, and a message that is answered where the text is to be said."""
    wanted = doing.inputs["channel"]
    message = replace(doing.message, attachments=(), command=None)
    if wanted is None or (here := str(wanted).strip()) in (message.chat.id, message.chat.place):
        return doing.channel, doing.lane, message
    name, colon, chat = here.partition(":")
    known = colon and any(each.name == name for each in doing.bot.channels)
    channel, chat = (name, chat) if known else (doing.channel, here)
    elsewhere = replace(
        message, chat=ChatRef(chat), text="", details={}, reply_to=None, sent_at_ms=None, account=""
    )
    lane = key_of(doing.bot.id, channel, chat, doing.user, doing.bot.conversations.scope).text
    return channel, lane, elsewhere
