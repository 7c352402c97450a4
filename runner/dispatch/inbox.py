"""What comes in: who may speak, how fast, and the one insert that makes a message ours.

    deliver ──▶ allowed? ──▶ rate? ──▶ room? ──▶ accept (T1, durable) ──▶ wake its lane
                 no: ignored   over: wait or limited   full or stopping: overloaded

Rules: after `deliver` returned ACCEPTED or DUPLICATE the message survives anything; a message delivered again
ends as the same row, whoever else delivers it in the same instant; a failing store is no reason to lose one:
the platform is told to come again. What is limited is counted before it is taken, where daemons share a store for
all of them together, and not taken where that fails; what has no limit is not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from adapters.contract import Capabilities, Delivery, DeliveryState, Pressure
from adapters.messages import ChatKind, InboundMessage, inbound_to_json
from runner.agent.wellformed import well_formed
from runner.bots import Access, Bot
from runner.clock import Clock
from runner.conversations.identity import key_of
from runner.dispatch.limits import OwnRates
from runner.errors import StoreError
from runner.ports.mail import Acceptance, NewInbound
from runner.ports.observer import Fault, MessageAccepted, MessageTurnedAway, Observer
from runner.ports.rates import Rate
from runner.ports.roster import Roster
from runner.ports.stores import Store

MAX_WAITING_PER_BOT = 10_000
"""Messages of one bot that may wait; beyond it the platform is asked to come again."""
COME_AGAIN_S = 1.0


class Backlog(Protocol):
    """What stands behind the inbox."""

    def wake(self, lane: str) -> None:
        """There is something to do in this lane."""

    def waiting(self, bot: str) -> int:
        """Messages of this bot that are accepted and not done."""

    def accepted(self, bot: str) -> None:
        """Count one more."""


def may_speak(message: InboundMessage, access: Access) -> bool:
    """Whether this message is for the bot at all."""
    if message.sender.is_bot or message.sender.id in access.deny_users:
        return False
    if access.allow_users and message.sender.id not in access.allow_users:
        return False
    if message.chat.kind is ChatKind.DIRECT or access.groups == "all":
        return True
    return access.groups == "mention" and message.addressed


class Inbox:
    """Takes messages in.

    Args:
        answered_again: called with the inbox id of a finished message that was delivered again on a channel that
            collects its answers, so that the answer is handed out once more.
    """

    def __init__(
        self,
        store: Store,
        roster: Roster,
        backlog: Backlog,
        clock: Clock,
        observer: Observer,
        answered_again: Callable[[str, str, int], Awaitable[None]],
    ) -> None:
        self._store = store
        self._roster = roster
        self._backlog = backlog
        self._clock = clock
        self._observer = observer
        self._answered_again = answered_again
        self._rates = store.rates or OwnRates(clock)
        self._closed = False

    def close(self) -> None:
        """Take nothing more in (the first stage of stopping)."""
        self._closed = True

    async def deliver(self, bot_id: str, channel: str, message: InboundMessage) -> Delivery:
        """Take one message in; see the drawing above."""
        bot = self._roster.bot(bot_id)
        adapter = self._roster.adapter(bot_id, channel)
        if bot is None or adapter is None or self._closed:
            return self._away(bot_id, channel, DeliveryState.OVERLOADED, COME_AGAIN_S)
        if not may_speak(message, bot.access):
            return self._away(bot_id, channel, DeliveryState.IGNORED)
        row = _row(bot, channel, message, self._clock.now_ms())
        try:
            return await self._take_in(bot, row, message.sender.id, adapter.capabilities)
        except StoreError as error:
            self._observer.note(Fault("inbox", str(error), bot_id))
            return self._away(bot_id, channel, DeliveryState.OVERLOADED, COME_AGAIN_S)

    async def _take_in(self, bot: Bot, row: NewInbound, user: str, can: Capabilities) -> Delivery:
        """Rate, room, accept; only a message that makes work is counted for its rates."""
        rates = _limited(
            (bot.id, bot.rate_limit_per_minute),
            (f"{bot.id}|{row.channel}|{user}", bot.user_rate_limit_per_minute),
        )
        counted = await self._pass_rates(rates, row, can.pressure)
        if isinstance(counted, Delivery):
            return counted
        if self._backlog.waiting(bot.id) >= MAX_WAITING_PER_BOT:
            await self._give_back(rates, counted)
            return self._away(bot.id, row.channel, DeliveryState.OVERLOADED, COME_AGAIN_S)
        accepted = await self._store.accept(row)
        if not accepted.fresh:  # where it failed the count stays: it may have been taken for all we know
            await self._give_back(rates, counted)
        return await self._welcome(row, accepted, collects=can.collects)

    async def _pass_rates(
        self, rates: Sequence[Rate], row: NewInbound, pressure: Pressure
    ) -> Delivery | float | None:
        """When it was counted; None for a repeated one, which always may pass; else why it may not."""
        while rates and (wait := await self._rates.take_all(rates)) > 0:
            if self._closed:
                return self._away(row.bot, row.channel, DeliveryState.OVERLOADED, COME_AGAIN_S)
            if await self._store.seen(row) is not None:
                return None
            if pressure is Pressure.REFUSE:
                return self._away(row.bot, row.channel, DeliveryState.LIMITED, wait)
            await self._clock.sleep(min(wait, COME_AGAIN_S))
        return self._clock.monotonic()

    async def _give_back(self, rates: Sequence[Rate], counted: float | None) -> None:
        if rates and counted is not None:
            await self._rates.give_back(rates, self._clock.monotonic() - counted)

    async def _welcome(self, row: NewInbound, accepted: Acceptance, *, collects: bool) -> Delivery:
        turn = f"t{accepted.inbox_id}"
        self._observer.note(MessageAccepted(row.bot, row.channel, turn, accepted.fresh))
        if accepted.fresh:
            self._backlog.accepted(row.bot)
            self._backlog.wake(row.lane)
            return Delivery(DeliveryState.ACCEPTED)
        if accepted.finished and collects:
            await self._answered_again(row.bot, row.channel, accepted.inbox_id)
        return Delivery(DeliveryState.DUPLICATE)

    def _away(self, bot: str, channel: str, state: DeliveryState, retry_after_s: float = 0.0) -> Delivery:
        self._observer.note(MessageTurnedAway(bot, channel, state))
        return Delivery(state, retry_after_s)


def _limited(*rates: Rate) -> tuple[Rate, ...]:
    """Those that have a limit: the others are not worth a question to the store."""
    return tuple(rate for rate in rates if rate[1] is not None)


def _row(bot: Bot, channel: str, message: InboundMessage, now_ms: int) -> NewInbound:
    key = key_of(bot.id, channel, message.chat.place, message.sender.id, bot.conversations.scope)
    return NewInbound(
        bot=bot.id,
        channel=channel,
        account=message.account,
        event_id=message.event_id,
        lane=key.text,
        payload=well_formed(inbound_to_json(message)),
        at_ms=now_ms,
    )
