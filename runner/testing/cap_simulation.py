"""A cap under many conversations at once, played through in virtual time: seeded, no store, no tasks, no waiting.

    arrive ──▶ admit ──granted──▶ provider ──▶ end: settled | released | unknown ──▶ think, arrive again
                 ├─────busy─────▶ wait in order; woken by each end; gives up when its patience is over
                 └───exhausted──▶ "limit reached": the conversation is over

Rules: a newcomer queues behind those who wait. The truth is what the provider bills, failures included, and it
is kept apart from what a policy books. A run ends when every conversation was told that the limit is reached.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from runner.money.amounts import ZERO, Money
from runner.money.budget import Busy, Counter, Exhausted, Granted
from runner.money.estimate import RequestSize, estimate
from runner.money.prices import Price
from runner.money.reservation import ReservationState, hold
from runner.money.usage import Usage
from runner.testing.cap_policies import CapPolicy, Request

SAMPLES = ("a", "Grüße ", "আমি ", "漢字", "Привет ", "👩‍👩‍👧 ", "ﷺ")
TEXT_LENGTHS = (400, 1_500, 4_000)
SHORTEST_CALL_MS, LONGEST_CALL_MS = 500, 8_000
LONGEST_PAUSE_MS = 3_000
TIMEOUT_MS = 30_000
RESTART_MS = 2_000


@dataclass(frozen=True, slots=True)
class Faults:
    """How often, in percent of the calls, and how often the daemon dies in a run."""

    timeout: int = 2
    server_error: int = 2
    cut_stream: int = 2
    rejected: int = 2
    crashes: int = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played.

    Attributes:
        requests: what conversations ask, see `requests_of`.
        answers: the provider uses every token it may (`at bound`), or any number of them (`uniform`).
        patience_ms: how long a message waits for money.
    """

    price: Price
    requests: tuple[Request, ...]
    cap: Money
    conversations: int = 200
    answers: Literal["at bound", "uniform"] = "at bound"
    faults: Faults = Faults()
    patience_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class CapReport:
    """How a run ended.

    Attributes:
        billed: the truth: what the provider wants for all calls.
        counter: what the policy has booked.
        false_limits: how often "limit reached" was said while the smallest call would have fitted, had the
            others' holds come back.
        gave_up: how often a message waited for money until its patience was over.
    """

    policy: str
    seed: int
    cap: Money
    calls: int
    billed: Money
    counter: Counter
    false_limits: int
    gave_up: int

    @property
    def overshoot(self) -> Money:
        """What the provider bills beyond the cap."""
        return Money(max(0, self.billed - self.cap))

    @property
    def booked_overshoot(self) -> Money:
        """What the policy itself has booked beyond the cap."""
        return Money(max(0, self.counter.taken - self.cap))

    @property
    def used_percent(self) -> int:
        """How much of the cap was spent or may have been, in whole percent."""
        return 100 * self.counter.gone // self.cap


def requests_of(price: Price, wanted_output: int = 2_000) -> tuple[Request, ...]:
    """Requests in several scripts and lengths, bounded by the meter's own rule."""
    texts = [sample * (length // len(sample)) for sample in SAMPLES for length in TEXT_LENGTHS]
    return tuple(
        Request(len(text), estimate(RequestSize(text, messages=5), price, wanted_output), price.rates.input)
        for text in texts
    )


def simulate(policy: CapPolicy, scenario: Scenario, seed: int) -> CapReport:
    """Play one run; the same arguments give the same report."""
    return _Run(policy, scenario, random.Random(seed)).play(seed)  # noqa: S311 - dice, no secret


class _Event(IntEnum):
    ARRIVE = 0
    END = 1
    GIVE_UP = 2
    CRASH = 3


@dataclass(slots=True)
class _Call:
    """One message on its way: waiting, then running."""

    request: Request
    waiting: bool = False
    held: Money = ZERO
    then: ReservationState = ReservationState.HELD
    cost: Money = ZERO


@dataclass(slots=True)
class _Run:
    """The state of one run."""

    policy: CapPolicy
    scenario: Scenario
    dice: random.Random
    now: int = 0
    order: int = 0
    events: list[tuple[int, int, _Event, _Call | None]] = field(default_factory=list)
    queue: deque[_Call] = field(default_factory=deque)
    running: dict[int, _Call] = field(default_factory=dict)
    counter: Counter = field(default_factory=Counter)
    billed: int = 0
    calls: int = 0
    false_limits: int = 0
    gave_up: int = 0

    def play(self, seed: int) -> CapReport:
        """From the first message to the last refusal."""
        for _ in range(self.scenario.conversations):
            self._next_message(0)
        for _ in range(self.scenario.faults.crashes):
            self._at(self.dice.randrange(60_000), _Event.CRASH, None)
        while self.events:
            self.now, _, event, call = heapq.heappop(self.events)
            if call is None:
                self._crash()
            elif event is _Event.ARRIVE:
                self._arrive(call)
            elif event is _Event.END:
                self._end(call)
            else:
                self._give_up(call)
        return CapReport(
            policy=self.policy.name,
            seed=seed,
            cap=self.scenario.cap,
            calls=self.calls,
            billed=Money(self.billed),
            counter=self.counter,
            false_limits=self.false_limits,
            gave_up=self.gave_up,
        )

    def _at(self, delay_ms: int, event: _Event, call: _Call | None) -> None:
        self.order += 1
        heapq.heappush(self.events, (self.now + delay_ms, self.order, event, call))

    def _next_message(self, delay_ms: int) -> None:
        self._at(delay_ms, _Event.ARRIVE, _Call(self.dice.choice(self.scenario.requests)))

    def _arrive(self, call: _Call) -> None:
        if self.queue or not self._try(call):
            call.waiting = True
            self.queue.append(call)
            self._at(self.scenario.patience_ms, _Event.GIVE_UP, call)

    def _try(self, call: _Call) -> bool:
        """Whether the call need not wait any more: it runs, or it was told that the limit is reached."""
        decision = self.policy.admit(call.request, self.scenario.cap, self.counter)
        match decision:
            case Granted():
                self._start(call, decision)
            case Exhausted():
                bound = call.request.bound
                least = bound.amount(bound.floor_tokens)
                self.false_limits += self.scenario.cap - self.counter.gone >= least
            case Busy():
                return False
        call.waiting = False
        return True

    def _start(self, call: _Call, granted: Granted) -> None:
        self.calls += 1
        self.counter = hold(self.counter, granted.amount)
        call.held = granted.amount
        duration = self._answer(call, granted.output_tokens)
        self.running[id(call)] = call
        self._at(duration, _Event.END, call)

    def _answer(self, call: _Call, output_limit: int) -> int:
        """Let the provider answer: sets how the call will end, bills the truth, returns how long it takes."""
        most = call.request.bound.input_tokens
        usage = Usage(most, output_limit)
        if self.scenario.answers == "uniform":
            usage = Usage(self.dice.randint(most // 5, most), self.dice.randint(1, output_limit))
        cost = self.scenario.price.cost(usage)
        faults, roll = self.scenario.faults, self.dice.randrange(100)
        duration = self.dice.randint(SHORTEST_CALL_MS, LONGEST_CALL_MS)
        for percent, then, billed, lasts in (
            (faults.rejected, ReservationState.RELEASED, 0, SHORTEST_CALL_MS),
            (faults.timeout, ReservationState.UNKNOWN, cost, TIMEOUT_MS),
            (faults.server_error, ReservationState.UNKNOWN, cost * self.dice.randrange(2), duration),
            (faults.cut_stream, ReservationState.UNKNOWN, cost, duration),
        ):
            if roll < percent:
                call.then = then
                self.billed += billed
                return lasts
            roll -= percent
        call.then, call.cost = ReservationState.SETTLED, cost
        self.billed += cost
        return duration

    def _end(self, call: _Call) -> None:
        if self.running.pop(id(call), None) is None:
            return  # the daemon died in between: booked then
        self._book(call, call.then, call.cost)
        self._next_message(self.dice.randrange(LONGEST_PAUSE_MS))
        self._wake()

    def _book(self, call: _Call, then: ReservationState, cost: Money) -> None:
        self.counter = self.policy.end(call.request, self.counter, call.held, then, cost)

    def _wake(self) -> None:
        while self.queue and self._try(self.queue[0]):
            self.queue.popleft()

    def _give_up(self, call: _Call) -> None:
        if not call.waiting:
            return
        self.gave_up += 1
        first = self.queue[0] is call
        self.queue.remove(call)
        self._next_message(self.dice.randrange(LONGEST_PAUSE_MS))
        if first:
            self._wake()

    def _crash(self) -> None:
        """All that was held is booked as a start books it; everybody asks again."""
        interrupted = [*self.running.values(), *self.queue]
        for call in self.running.values():
            self._book(call, ReservationState.UNKNOWN, ZERO)
        for call in self.queue:
            call.waiting = False
        self.running.clear()
        self.queue.clear()
        for _ in interrupted:
            self._next_message(RESTART_MS)
