"""`runner.ports.stores.Store` in plain Python.

Rules: values in, values out, nothing shared; each method decides before it changes anything and waits for
nothing, so it is one transaction; `before` is called with each method's name first and may raise StoreError,
which is how tests make a store fail. Closing forgets nothing: opened again, the same store goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from runner.errors import StoreError
from runner.money.budget import Counter
from runner.money.ledger import LedgerEntry
from runner.ports.answers import KeptAnswer
from runner.ports.books import (
    Alert,
    Correction,
    Deposit,
    Deposited,
    HoldRequest,
    HoldResult,
    LedgerFilter,
    Quarantine,
    Settled,
    Settlement,
    UsageSum,
    WaitingAlert,
)
from runner.ports.fleet import Fleet
from runner.ports.mail import (
    Acceptance,
    Filed,
    FinishedTurn,
    NewInbound,
    NewOutbound,
    OutboxState,
    Outgoing,
    PreparedHead,
    StoredStep,
    Work,
)
from runner.ports.rates import Rates
from runner.ports.reports import MOST_TURNS, BotFacts, ConversationLine, DayTraffic, Transcript
from runner.ports.stores import LaneSession, Lease, Recovery, StoreFigures, TurnRecord
from runner.store.lanes import OwnLanes
from runner.store.memory.rooms import Rooms
from runner.store.memory.transcripts import page, transcript
from runner.store.rules import inbox_of, turn_id


class MemoryStore:
    """Remembers until the process ends."""

    fleet: Fleet | None = None
    rates: Rates | None = None

    def __init__(self, before: Callable[[str], None] = lambda _: None, rooms: Rooms | None = None) -> None:
        """`rooms`: shared with others that have their own way in; None: of its own."""
        self._before = before
        self._is_open = False
        self._rooms = rooms or Rooms()
        self._inbox = self._rooms.inbox
        self._outbox = self._rooms.outbox
        self._talks = self._rooms.talks
        self._books = self._rooms.books
        self._traffic = self._rooms.traffic
        self._kept = self._rooms.kept
        self.batches = self._rooms.batches.entered_by(self._begin)
        self.runs = self._rooms.runs.entered_by(self._begin)
        self.values = self._rooms.values.entered_by(self._begin)
        self._leases = self._rooms.leases
        self._lanes = OwnLanes(self)

    async def open(self) -> None:
        """Nothing to connect to."""
        self._before("open")
        self._is_open = True

    async def close(self) -> None:
        """Refuse calls until opened again."""
        self._is_open = False

    def _begin(self, method: str) -> None:
        if not self._is_open:
            raise StoreError("the store is not open")
        self._before(method)

    async def recover(self) -> Recovery:
        """As the port says."""
        self._begin("recover")
        again, left = self._outbox.recover()
        return Recovery(self._books.recover(self.batches.open_ids()), again, left)

    # ── inbox ────────────────────────────────────────────────────────────────────────────────────────────
    async def accept(self, message: NewInbound) -> Acceptance:
        """As the port says."""
        self._begin("accept")
        return self._inbox.accept(message)

    async def seen(self, message: NewInbound) -> Acceptance | None:
        """As the port says."""
        self._begin("seen")
        return self._inbox.seen(message)

    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """As the port says."""
        self._begin("recent")
        return self._inbox.recent(bot, channel, limit)

    async def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        """As the port says."""
        self._begin("waiting_lanes")
        return self._inbox.waiting_lanes(bots, exclude, limit, now_ms)

    def lane(self, lane: str) -> AbstractAsyncContextManager[LaneSession | None]:
        """As the port says."""
        return self._lanes.hold(lane)

    # ── a lane's holder ──────────────────────────────────────────────────────────────────────────────────
    async def next_in(self, lane: str, now_ms: int) -> Work | None:
        """As `LaneSession.next`."""
        self._begin("next")
        head = self._inbox.head(lane, now_ms)
        if head is None:
            return None
        conversation, history = self._talks.latest(lane)
        turn = turn_id(head.id)
        return Work(
            inbox_id=head.id,
            bot=head.message.bot,
            channel=head.message.channel,
            lane=lane,
            payload=head.message.payload,
            accepted_ms=head.message.at_ms,
            turn=turn,
            conversation=conversation,
            history=history,
            steps=self._talks.steps(turn),
            attempts_used=self._books.attempts(turn),
        )

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """As `LaneSession.save_step`."""
        self._begin("save_step")
        self._talks.save_step(turn, step)
        return self._outbox.add(inbox_of(turn), outbox, first_state) if outbox else ()

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        """As `LaneSession.steps`."""
        self._begin("steps")
        return self._talks.steps(turn), self._books.attempts(turn)

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        """As `LaneSession.finish`."""
        self._begin("finish")
        letter = self._inbox.open_letter(turn.inbox_id)
        self.runs.check_end(turn)
        begins = not self._talks.is_begun(turn.conversation.id)
        self._inbox.finish(letter, turn.at_ms)
        self._traffic.count(turn, letter.message.at_ms, begins=begins)
        self._talks.remember(turn)
        self.runs.end_turn(turn)
        return self._outbox.add(turn.inbox_id, turn.outbox, turn.first_state)

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        """As `LaneSession.postpone`."""
        self._begin("postpone")
        self._inbox.postpone(inbox_id, until_ms)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────
    async def hold(self, request: HoldRequest) -> HoldResult:
        """As the port says."""
        self._begin("hold")
        return self._books.hold(request)

    async def settle(self, settlement: Settlement) -> Settled:
        """As the port says."""
        self._begin("settle")
        row, counters = self._books.ended(settlement)
        if settlement.step is not None:
            self._talks.save_step(row.attempt.turn, settlement.step)
        return self._books.write(row, counters)

    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """As the port says."""
        self._begin("counters")
        return self._books.counters(scopes)

    async def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """As the port says."""
        self._begin("ledger")
        for row in self._books.rows(which):
            yield row

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As the port says. Raises ValueError for a grouping that there is not."""
        self._begin("usage")
        return self._books.usage(which, by, limit)

    async def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As the port says."""
        self._begin("correct")
        return self._books.correct(correction)

    async def deposit(self, deposit: Deposit) -> Deposited:
        """As the port says."""
        self._begin("deposit")
        return self._books.purse.deposit(deposit)

    async def deposits(self) -> list[Deposit]:
        """As the port says."""
        self._begin("deposits")
        return self._books.purse.deposits()

    async def quarantine(self, which: Quarantine) -> None:
        """As the port says."""
        self._begin("quarantine")
        self._books.purse.set_aside(which)

    async def quarantined(self) -> list[Quarantine]:
        """As the port says."""
        self._begin("quarantined")
        return self._books.purse.quarantined()

    async def clear_quarantine(self, provider: str, model: str) -> bool:
        """As the port says."""
        self._begin("clear_quarantine")
        return self._books.purse.clear(provider, model)

    async def raise_alert(self, alert: Alert, *, deliver: bool) -> bool:
        """As the port says."""
        self._begin("raise_alert")
        return self._books.purse.add_alert(alert, waits=deliver)

    async def alerts(self, limit: int) -> list[Alert]:
        """As the port says."""
        self._begin("alerts")
        return self._books.purse.alerts(limit)

    async def waiting_alerts(self, limit: int) -> list[WaitingAlert]:
        """As the port says."""
        self._begin("waiting_alerts")
        return self._books.purse.waiting(limit)

    async def end_alert(self, alert_id: int, due_ms: int | None) -> None:
        """As the port says."""
        self._begin("end_alert")
        self._books.purse.end_alert(alert_id, due_ms)

    # ── outbox ───────────────────────────────────────────────────────────────────────────────────────────
    async def begin_sending(self, ids: Sequence[int]) -> None:
        """As the port says."""
        self._begin("begin_sending")
        self._outbox.begin_sending(ids)

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """As the port says."""
        self._begin("end_sending")
        self._outbox.end_sending(outbox_id, state, why, due_ms)

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """As the port says."""
        self._begin("outgoing")
        return self._outbox.outgoing(state, limit, after_id)

    async def answers(self, inbox_id: int) -> list[Outgoing]:
        """As the port says."""
        self._begin("answers")
        return self._outbox.answers(inbox_id)

    async def resend(self, outbox_id: int) -> None:
        """As the port says."""
        self._begin("resend")
        self._outbox.resend(outbox_id)

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────────
    async def define_bots(self, digests: Mapping[str, str], now_ms: int) -> None:
        """As the port says."""
        self._begin("define_bots")
        self._traffic.define(digests, now_ms)

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As the port says."""
        self._begin("bot_facts")
        return self._traffic.facts(bots)

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As the port says. Raises ValueError for a text that is no day."""
        self._begin("traffic")
        return self._traffic.by_day(bot, first_day, last_day)

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As the port says. Raises ValueError for a text that is no day."""
        self._begin("unique_users")
        return self._traffic.users(bot, first_day, last_day)

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """As the port says."""
        self._begin("conversations")
        return page(self._talks, self._books, bot, user, before)[:limit]

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """As the port says."""
        self._begin("transcript")
        return transcript(self._talks, self._books, conversation, latest)

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """As the port says."""
        self._begin("top_users")
        return self._books.usage(which, ("bot", "user"), limit)

    async def forget_user(self, bot: str | None, user: str) -> int:
        """As the port says."""
        self._begin("forget_user")
        self._kept.forget(bot)
        return self.runs.forget_user(bot, user) + self._rooms.forget_turns(self._talks.turns_of(bot, user))

    async def forget_conversation(self, conversation: str) -> int:
        """As the port says."""
        self._begin("forget_conversation")
        removed = self.runs.forget_conversation(conversation)
        removed += self._rooms.forget_turns(self._talks.turns_in(conversation))
        return removed + self._talks.forget_if_empty(conversation, self._inbox.has_work)

    # ── kept answers, heads ──────────────────────────────────────────────────────────────────────────────
    async def kept_answer(self, key: str, now_ms: int) -> KeptAnswer | None:
        """As the port says."""
        self._begin("kept_answer")
        return self._kept.kept(key, now_ms)

    async def keep_answer(self, answer: KeptAnswer) -> None:
        """As the port says."""
        self._begin("keep_answer")
        self._kept.keep(answer)

    async def forget_answers(self, bot: str) -> int:
        """As the port says."""
        self._begin("forget_answers")
        return self._kept.forget(bot)

    async def prepare_head(self, conversation: str, head: PreparedHead) -> None:
        """As the port says."""
        self._begin("prepare_head")
        self._talks.prepare_head(conversation, head)

    # ── traces, figures, leases, upkeep ──────────────────────────────────────────────────────────────────
    async def turn(self, turn: str) -> TurnRecord | None:
        """As the port says."""
        self._begin("turn")
        return self._talks.turn(turn)

    async def figures(self) -> StoreFigures:
        """As the port says."""
        self._begin("figures")
        return self._outbox.figures(self._inbox.waiting())

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """As the port says."""
        self._begin("lease")
        return self._leases.lease(Lease(name, holder, 0, now_ms + ttl_ms), now_ms)

    async def release(self, name: str, holder: str) -> None:
        """As the port says."""
        self._begin("release")
        self._leases.release(name, holder)

    async def prune(
        self, finished_before_ms: int, conversations_before_ms: int, answers_until_ms: int = 0
    ) -> int:
        """As the port says."""
        self._begin("prune")
        return self._rooms.prune(finished_before_ms, conversations_before_ms, answers_until_ms)
