"""The meter: the only door to a provider. Nothing is asked of a model but through here.

    estimate ──▶ hold in all scopes ──▶ one attempt ──▶ settle, the reply stored with it
        │            │ busy: wait in order                 │ fault: `retry` decides
        ▼            ▼                                     ▼
    unpriced      refused (a value)                    failed (a value)

Rules: money is held, durably, before the first byte leaves, and for each attempt anew. An attempt that the
turn no longer waits for goes on to its usage and settles by itself. A cost above its hold is recorded as it
is, told, and the model is not called again until an operator clears it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from runner.agent import retry
from runner.agent.aftermath import Aftermath
from runner.agent.asks import Ask, Failed, Metered, MeterResult, Refused
from runner.agent.replies import PaidReply
from runner.agent.settling import settlement_of
from runner.bots import BillingMode, ModelChoice, Secret
from runner.clock import Clock
from runner.errors import LaneLost, StoreError
from runner.money.budget import Busy, Exhausted, ScopeLimit
from runner.money.estimate import Estimate, Unbounded, estimate
from runner.money.ledger import Attempt
from runner.money.prices import ModelLimits, Price, PriceBook, Rates
from runner.ports.books import (
    BookStore,
    Held,
    HoldRequest,
    HoldResult,
    MoneyStore,
    Settled,
    Settlement,
)
from runner.ports.listener import Listener
from runner.ports.observer import (
    Fault,
    LimitChanged,
    Observer,
    SpendRefused,
)
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.ports.provider import Prepared, Provider

DRAIN_S = 60.0
"""How long an attempt that nobody waits for may still run to learn its usage."""
STORE_RETRY_S = 0.5
UNPRICED = Price("", "", Rates(0, 0), version="unpriced")
"""Stands in where nothing limits what is spent: the call is counted, its cost is not known."""
BY_SECOND = ModelLimits(min_audio_seconds=1)
NO_MORE = 1_000
"""An attempt's number after which nothing is tried again."""
_ELSEWHERE = frozenset(
    {FaultKind.CONNECT, FaultKind.RATE_LIMITED, FaultKind.OVERLOADED, FaultKind.SERVER, FaultKind.CUT},
)


class Providers(Protocol):
    """Finds who serves a model."""

    def get(self, name: str, key: Secret | None = None) -> Provider:
        """The provider of that name, with another key than its own where one is given."""

    def transcriber(self, name: str, key: Secret | None = None) -> Provider:
        """Who writes speech down for that provider."""


@dataclass(slots=True)
class _Call:
    """One attempt under way. `through` is the lane's session while the turn waits, the store afterwards."""

    attempt: Attempt
    price: Price
    held: Held
    through: MoneyStore
    step_number: int | None
    listener: Listener | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Outcome | None = None
    paid: PaidReply | None = None

    def is_of(self, turn: str) -> bool:
        """Whether it is of this turn or one of its parts."""
        return self.attempt.turn == turn or self.attempt.turn.startswith(f"{turn}.")


class Meter:
    """Holds, calls, settles.

    Args:
        tasks: owns attempts that outlive their turn; attempts never raise into it.
        drain_s: how long an attempt may go on after its message's time, to learn its usage.

    Attributes:
        aftermath: what follows the end of a hold; batches share it.
    """

    def __init__(
        self,
        providers: Providers,
        book: Callable[[], PriceBook],
        store: BookStore,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
        drain_s: float = DRAIN_S,
    ) -> None:
        self._drain_s = drain_s
        self._providers = providers
        self._book = book
        self._store = store
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self.aftermath = Aftermath(store, clock, observer)
        self._room = self.aftermath.room
        self._running: dict[asyncio.Task[None], _Call] = {}

    async def open(self) -> None:
        """Learn which models an operator has not cleared yet. Raises StoreError."""
        await self.aftermath.open()

    async def clear(self, choice: ModelChoice) -> bool:
        """An operator's word: call this model again; False where it was not set aside. Raises StoreError."""
        return await self.aftermath.clear(choice)

    @property
    def running(self) -> frozenset[asyncio.Task[None]]:
        """Attempts that have not settled yet."""
        return frozenset(self._running)

    async def settled(self, turn: str) -> None:
        """Wait until every attempt of this turn and its parts is settled: begun again, it finds what it paid."""
        tasks = [task for task, call in self._running.items() if call.is_of(turn)]
        if tasks:
            await asyncio.wait(tasks)

    def lost(self, turn: str) -> None:
        """This turn is another daemon's now: what it still calls settles by the store, and leaves no step behind."""
        for call in self._running.values():
            if call.is_of(turn):
                call.through, call.step_number = self._store, None

    def limit_changed(self, scope: str) -> None:
        """A limit was raised or removed: whoever waits in that scope looks again."""
        self._observer.note(LimitChanged(scope))
        self._room.changed([scope])

    async def call(self, ask: Ask, session: MoneyStore) -> MeterResult:
        """Make one step's call: as many attempts as `retry` allows, each with its own hold."""
        used = ask.attempts_used
        find = self._providers.get if ask.request.recording is None else self._providers.transcriber
        provider = find(ask.request.choice.provider, ask.key)
        prepared = provider.prepare(ask.request)
        priced = await self._priced(ask, prepared)
        if isinstance(priced, Failed):
            return priced
        price, bound = priced
        number = 0
        while True:
            number += 1
            call = await self._held(ask, session, price, bound, number, used)
            if isinstance(call, Refused):
                return call
            used += 1
            if not await self._attempt(call, provider, prepared, ask.deadline):
                return Failed("the message's time is over", used, timed_out=True)
            if call.paid is not None:
                return Metered(call.paid, used)
            verdict = _verdict(
                call.outcome, number if ask.patient else NO_MORE, ask.deadline - self._clock.monotonic(), used
            )
            if isinstance(verdict, Failed):
                return verdict
            await self._clock.sleep(verdict.wait_s)

    async def _priced(self, ask: Ask, prepared: Prepared) -> tuple[Price, Estimate] | Failed:
        """The model's price and the call's bound; without both no call is made."""
        choice, used = ask.request.choice, ask.attempts_used
        price = self._book().find(choice.provider, choice.model)
        if price is None:
            if await self._is_limited(ask.scopes(self._attempt_of(ask, UNPRICED, 1, used))):
                return Failed(f"{choice.provider}/{choice.model} has no price", used, unpriced=True)
            limits = UNPRICED.limits if ask.request.recording is None else BY_SECOND
            price = replace(UNPRICED, provider=choice.provider, model=choice.model, limits=limits)
        if self.aftermath.is_set_aside(choice):
            return Failed(f"{choice.provider}/{choice.model} charged more than its bound", used)
        try:
            return price, estimate(prepared.size, price, ask.request.max_output_tokens)
        except Unbounded as error:
            return Failed(str(error), used)

    async def _is_limited(self, scopes: tuple[ScopeLimit, ...]) -> bool:
        """Whether anything limits what is spent: unpriced is not free."""
        if any(scope.limit is not None for scope in scopes):
            return True
        return any(scope.funded for scope in scopes) and bool(await self._store.deposits())

    def _attempt_of(self, ask: Ask, price: Price, number: int, used: int) -> Attempt:
        """The ledger row of the next attempt."""
        choice = ask.request.choice
        return replace(
            ask.about,
            id=f"{ask.about.turn}-{used + 1}",
            time_ms=self._clock.now_ms(),
            provider=choice.provider,
            model=choice.model,
            price_version=price.version,
            billing_mode=_payer(ask),
            number=number,
        )

    async def _held(
        self, ask: Ask, session: MoneyStore, price: Price, bound: Estimate, number: int, used: int
    ) -> _Call | Refused:
        """Hold money for one attempt, or say why not."""
        attempt = self._attempt_of(ask, price, number, used)
        result = await self._hold(attempt, bound, ask, session)
        match result:
            case Held():
                return _Call(attempt, price, result, session, ask.step_number, ask.listener)
            case Exhausted(scope, limit, gone):
                refused = SpendRefused(attempt.bot, attempt.turn, scope, "limit", limit, gone)
            case Busy(scope):
                refused = SpendRefused(attempt.bot, attempt.turn, scope, "busy")
        self._observer.note(refused)
        return Refused(scope, refused.kind == "limit", used)

    async def _hold(self, attempt: Attempt, bound: Estimate, ask: Ask, session: MoneyStore) -> HoldResult:
        """Take the hold, waiting in order while it could still fit."""
        ticket = None
        try:
            while True:
                scopes = ask.scopes(attempt)
                names = tuple(scope.name for scope in scopes)
                crowded = self._room.crowded(names) if ticket is None else None
                result: HoldResult
                if crowded is None:
                    result = await session.hold(HoldRequest(attempt, scopes, bound))
                else:
                    result = Busy(crowded)
                if not isinstance(result, Busy):
                    return result
                if ticket is not None and ticket.scope != result.scope:
                    self._room.leave(ticket)
                    ticket = None
                if ticket is None:
                    ticket = self._room.enter(result.scope)
                if not await self._room.wait(ticket, ask.deadline - self._clock.monotonic()):
                    return result
        finally:
            if ticket is not None:
                self._room.leave(ticket)

    async def _attempt(self, call: _Call, provider: Provider, prepared: Prepared, deadline: float) -> bool:
        """Make the attempt in a task of its own; False when the message's time is over before it ends.

        Its settlement is asked of the store by then, not yet confirmed: the store takes things in the order
        they are asked, so what the turn asks next shares its commit, and a crash in between leaves the hold.
        However this is left, cancelled too: an attempt that goes on settles by the store, for the lane's
        session ends with the turn.
        """
        remaining = max(0.0, deadline - self._clock.monotonic())
        task = self._tasks.create_task(
            self._run(call, provider, prepared, remaining + self._drain_s), name=f"attempt {call.attempt.id}"
        )
        self._running[task] = call
        task.add_done_callback(self._running.pop)
        try:
            async with asyncio.timeout(remaining):
                await call.ended.wait()
        except TimeoutError:
            return call.ended.is_set()
        finally:
            call.through = self._store
        return True

    async def _run(self, call: _Call, provider: Provider, prepared: Prepared, timeout_s: float) -> None:
        """Call, then settle; the hold ends here whatever happens, or at the next start."""
        begun = self._clock.monotonic()
        try:
            hear = None
            if call.listener is not None:
                call.listener.begin()
                hear = call.listener.hear
            outcome = await provider.complete(prepared, call.held.output_tokens, timeout_s, hear)
        except Exception as error:  # noqa: BLE001 - a client's bug must not leave the hold open
            self._observer.note(Fault("provider", repr(error), call.attempt.bot, call.attempt.turn, error))
            outcome = FateUnknown(FaultKind.CRASH, f"the provider's client failed: {type(error).__name__}")
        latency_ms = int((self._clock.monotonic() - begun) * 1000)
        settlement, paid = settlement_of(
            outcome, call.attempt, call.held, call.price, call.step_number, latency_ms
        )
        call.outcome, call.paid = outcome, paid
        call.ended.set()  # who waits goes on only after this task has given way: after the settlement was asked for
        settled = await self._settle(call, settlement)
        await self.aftermath.ended(call.attempt, call.held, settlement, settled)

    async def _settle(self, call: _Call, settlement: Settlement) -> Settled:
        """Write the end down; a store that fails is asked again until it works or the process stops.

        A reply whose place is taken (an attempt that the turn had given up came back) ends without it: the
        money's end matters more. So does one of a turn that is another daemon's by now.
        """
        lost = False
        while True:
            try:
                return await call.through.settle(settlement)
            except LaneLost:
                lost, call.through = True, self._store
                settlement = replace(settlement, step=None)
            except StoreError as error:
                self._observer.note(Fault("settle", str(error), call.attempt.bot, call.attempt.turn))
                await self._clock.sleep(STORE_RETRY_S)
            except Exception as error:  # noqa: BLE001 - IllegalStep or our own fault: told, and ends no other turn
                trace = (
                    None if lost else error
                )  # of a lane that was lost, another daemon may have ended the hold
                self._observer.note(Fault("settle", repr(error), call.attempt.bot, call.attempt.turn, trace))
                if settlement.step is None:
                    return Settled(call.held.amount, {})
                settlement = replace(settlement, step=None)


def _payer(ask: Ask) -> str:
    """Whose money it is: a bot with a key of its own pays with it, but not for a fallback at another provider."""
    mode = ask.about.billing_mode
    return BillingMode.WALLET if mode == BillingMode.BYOK and ask.key is None else mode


def _verdict(outcome: Outcome | None, number: int, remaining_s: float, used: int) -> retry.Again | Failed:
    """What follows an attempt that brought no reply."""
    if outcome is None or isinstance(outcome, Completed):
        return Failed("the attempt ended without an outcome", used)
    decision = retry.after(outcome, number, remaining_s)
    if isinstance(decision, retry.Again):
        return decision
    timed_out = outcome.kind is FaultKind.TIMEOUT
    return Failed(decision.why, used, timed_out=timed_out, elsewhere=outcome.kind in _ELSEWHERE)
