"""A turn's surroundings: who asks whom in which conversation, read once at its start. Pure.

Rules: begun again after a crash, a message finds the same conversation; the window is cut here, once, and what
came along with the message takes the place of its bare text afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from adapters.contract import Adapter, Capabilities
from adapters.messages import ChatKind, InboundMessage
from runner.bots import Bot
from runner.conversations.identity import is_over
from runner.conversations.models import AssistantMessage, Message, UserMessage, message_from_json
from runner.conversations.summary import with_head
from runner.conversations.window import Marks, first_kept
from runner.dispatch.attachments import Perceived
from runner.dispatch.console import CONSOLE
from runner.dispatch.errands import Duty, unwrap
from runner.money.ledger import Attempt
from runner.ports.mail import ConversationState, Work
from runner.ports.tools import Toolbox


@dataclass(frozen=True, slots=True)
class Askers:
    """The bots that wait for this one's answer.

    Attributes:
        chain: their ids, the one that the user writes to first.
        platform: where the user writes.
        deadline: `clock.monotonic()` at which the last of them waits no longer.
        context: what the last of them found out, by name.
    """

    chain: tuple[str, ...]
    platform: str
    deadline: float
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """A turn's surroundings, read once at its start.

    Attributes:
        state: the conversation as it is before this message, cut to the window.
        history: what the model will see, the user's message last; the head, if there is one, aside. Of an errand
            it holds what was said before, and nothing more: nobody wrote.
        marks: between which the window moves.
        dropped: how many messages the window has just dropped that no summary stands for.
        toolbox: the bot's tools: a turn goes on with those that it began with.
        begun: `clock.monotonic()` at its start.
        errand: what the runner owes, where this is no message of the platform; `message` is then the one that it
            is about.
        askers: who waits for the answer, where another bot has asked; None: the user did.
    """

    work: Work
    bot: Bot
    adapter: Adapter | None
    message: InboundMessage
    state: ConversationState
    history: tuple[Message, ...]
    toolbox: Toolbox
    marks: Marks
    begun: float
    dropped: int = 0
    errand: Duty | None = None
    askers: Askers | None = None

    @property
    def past(self) -> tuple[Message, ...]:
        """The history before this message."""
        return self.history if self.errand is not None else self.history[:-1]

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do; the plainest where the connection is gone."""
        return Capabilities() if self.adapter is None else self.adapter.capabilities

    @property
    def sent(self) -> tuple[Message, ...]:
        """The history as it is sent: with the head, where the bot goes on with one."""
        history = in_turns(self.history)
        return with_head(self.state.head, history) if self.bot.conversations.summarize else history

    @property
    def platform(self) -> str:
        """The channel's platform, or its name where the bot has it no more."""
        if self.askers is not None:
            return self.askers.platform
        channel = self.work.channel
        return next((c.platform for c in self.bot.channels if c.name == channel), channel)

    @property
    def deadline(self) -> float:
        """`clock.monotonic()` at which the message's time is over."""
        own = self.begun + self.bot.limits.timeout_s
        return own if self.askers is None else min(own, self.askers.deadline)

    @property
    def chain(self) -> tuple[str, ...]:
        """The bots that wait for this one's answer."""
        return () if self.askers is None else self.askers.chain

    @property
    def context(self) -> Mapping[str, Any]:
        """What another bot hands over with its request, by name."""
        return {} if self.askers is None else self.askers.context

    def perceiving(self, perceived: Perceived) -> Scene:
        """The same, with what came along in the user's message."""
        name = _name(self.bot, self.message, self.adapter)
        asked = UserMessage(perceived.text, name, perceived.pictures)
        return replace(self, history=(*self.history[:-1], asked))


def scene_of(
    work: Work, bot: Bot, adapter: Adapter | None, toolbox: Toolbox, marks: Marks, begun: float
) -> Scene:
    """The surroundings of one message; `begun` is `clock.monotonic()`, `marks` those of the window."""
    message, errand = unwrap(work.payload)
    if errand is not None:  # it is about what was said in the lane's latest conversation, over or not
        going_on = work.conversation or new_conversation(work)
        said = tuple(message_from_json(text) for text in work.history)
        return Scene(work, bot, adapter, message, going_on, said, toolbox, marks, begun, errand=errand)
    state, past = _conversation(work, bot.conversations.ttl_ms)
    history = [*past, UserMessage(message.text, _name(bot, message, adapter))]
    prepared = state.prepared if bot.conversations.summarize else None
    start = first_kept(history, marks, None if prepared is None else prepared.first_seq - state.first_seq)
    windowed = replace(state, first_seq=state.first_seq + start)
    dropped = start
    if prepared is not None and start and prepared.first_seq == windowed.first_seq:
        windowed, dropped = replace(windowed, head=prepared.text), 0
    return Scene(
        work, bot, adapter, message, windowed, tuple(history[start:]), toolbox, marks, begun, dropped
    )


def in_turns(history: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same with texts of the bot that follow one another as one: not every model takes several in a row."""
    found: list[Message] = []
    for message in history:
        last = found[-1] if found else None
        if _is_plain(message) and _is_plain(last):
            found[-1] = AssistantMessage(f"{last.text}\n\n{message.text}")
        else:
            found.append(message)
    return tuple(found)


def _is_plain(message: Message | None) -> TypeGuard[AssistantMessage]:
    return isinstance(message, AssistantMessage) and not message.tool_calls


def part_key(turn: str, number: int) -> str:
    """The same for a draft and for the part that takes its place."""
    return f"{turn}.{number}"


def new_conversation(work: Work) -> ConversationState:
    """A conversation that begins with this message."""
    return ConversationState(f"c{work.inbox_id}", work.accepted_ms, work.accepted_ms)


def _conversation(work: Work, ttl_ms: int) -> tuple[ConversationState, list[Message]]:
    """The conversation that this message belongs to, and what was said in it."""
    old = work.conversation
    if old is None or is_over(old.last_ms, work.accepted_ms, ttl_ms):
        return new_conversation(work), []
    return old, [message_from_json(text) for text in work.history]


def _name(bot: Bot, message: InboundMessage, adapter: Adapter | None) -> str | None:
    """The user's name, where it tells the model something.

    That is among several people, or where an integrator sends it on purpose; in a private chat it only costs.
    """
    several = message.chat.kind is ChatKind.GROUP or bot.conversations.scope == "channel"
    on_purpose = adapter is not None and adapter.capabilities.reports
    return message.sender.name if several or on_purpose else None


def about(scene: Scene) -> Attempt:
    """The ledger row as far as it is known before the call."""
    bot, work = scene.bot, scene.work
    return Attempt(
        id="",
        time_ms=0,
        bot=bot.id,
        platform=scene.platform,
        channel=work.channel,
        conversation=scene.state.id,
        user=scene.message.sender.id,
        turn=work.turn,
        provider=bot.choice.provider,
        model=bot.choice.model,
        price_version="",
        feature="test" if work.channel == CONSOLE else "chat",
        task=scene.message.task or bot.task,
        billing_mode=bot.billing_mode,
    )
