"""A cap tried on the real thing: the real meter on a real store, many conversations at once, faults included.

Rules: each conversation asks again and again until it is told that the limit is reached; the model answers at
its bound, and now and then it fails, hangs or breaks off. The truth is the model's own bill.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from runner.agent.asks import Ask, Refused
from runner.agent.meter import Meter
from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import UserMessage
from runner.money.amounts import ZERO, Money
from runner.money.budget import Counter, ScopeLimit
from runner.money.estimate import estimate
from runner.money.ledger import Attempt
from runner.money.prices import Price, PriceBook
from runner.ports.dialogue import ModelRequest
from runner.ports.provider import Provider
from runner.ports.stores import Store
from runner.testing.model_script import At, Behaviour, Drop, Fault, Hang, Say
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider

SCOPE = "bot:trial"
CHOICE = ModelChoice("trial", "model")
MESSAGE_S = 1.5
DRAIN_S = 0.3
MOST_CALLS = 200


@dataclass(slots=True)
class Trial:
    """How it went.

    Attributes:
        billed: what the model wants for all calls, failed ones included.
        counter: what the books say.
        least: the bound of the smallest call that was ever worth making.
        false_limits: how often "limit reached" was said though that call would have fitted without the holds.
        answered: calls that brought a reply.
    """

    cap: Money
    counter: Counter = field(default_factory=Counter)
    billed: Money = ZERO
    least: Money = ZERO
    false_limits: int = 0
    answered: int = 0
    calls: int = 0

    @property
    def overshoot(self) -> int:
        """Pico-dollars that the bill is above the cap; 0 is the promise."""
        return max(0, self.billed - self.cap)

    @property
    def used_permille(self) -> int:
        """How much of the cap was usable: settled and unknown, in thousandths of it."""
        return self.counter.gone * 1000 // self.cap


@dataclass(frozen=True, slots=True)
class _Only:
    provider: Provider

    def get(self, name: str, key: Secret | None = None) -> Provider:
        return self.provider

    transcriber = get


def _faulty(rng: random.Random) -> Behaviour:
    """What the model does next: at its bound, nine times in ten."""
    dice = rng.random()
    latency = rng.uniform(0.001, 0.02)
    if dice < 0.90:  # noqa: PLR2004 - the mix is the point
        return Say("an answer", at_bound=True, latency_s=latency)
    return rng.choice(
        (
            Fault(500, latency_s=latency),
            Fault(429, retry_after="0.01"),
            Say("an ans", at_bound=True, cut_at=At.MIDDLE, latency_s=latency),
            Say("", at_bound=True, cut_at=At.FIRST),
            Drop(),
            Hang(),
        ),
    )


async def try_cap(store: Store, price: Price, cap: Money, seed: int, conversations: int = 200) -> Trial:
    """Spend a cap to its end. The store is open and empty."""
    rng = random.Random(seed)  # noqa: S311 - a trial that can be played again
    clock = SystemClock()
    provider = FakeProvider(clock, lambda _: _faulty(rng))
    book = PriceBook("trial", {(CHOICE.provider, CHOICE.model): price})
    trial = Trial(cap)
    async with asyncio.TaskGroup() as tasks:
        meter = Meter(
            _Only(provider), lambda: book, store, clock, RecordingObserver(), tasks, drain_s=DRAIN_S
        )
        async with asyncio.TaskGroup() as group:
            for number in range(conversations):
                text = "what is it? " * rng.randint(1, 40)
                group.create_task(_converse(meter, store, trial, provider, price, text, number))
    trial.counter = (await store.counters([SCOPE]))[SCOPE]
    trial.billed = Money(sum(price.cost(line.usage) for line in provider.bill))
    trial.calls = len(provider.calls)
    return trial


async def _converse(
    meter: Meter, store: Store, trial: Trial, provider: FakeProvider, price: Price, text: str, number: int
) -> None:
    """One conversation, until the limit is reached."""
    request = ModelRequest(CHOICE, "You are brief.", (UserMessage(text),), max_output_tokens=8192)
    bound = estimate(provider.prepare(request).size, price, request.max_output_tokens)
    least = bound.amount(bound.floor_tokens)
    trial.least = max(trial.least, least)
    for message in range(MOST_CALLS):
        turn = f"t{number}.{message}"
        about = Attempt(
            id="", time_ms=0, bot="trial", platform="trial", channel="trial", conversation=f"c{number}",
            user=f"u{number}", turn=turn, provider="", model="", price_version="",
        )  # fmt: skip
        ask = Ask(
            request=request,
            about=about,
            scopes=lambda _: (ScopeLimit(SCOPE, trial.cap),),
            deadline=SystemClock().monotonic() + MESSAGE_S,
            attempts_used=0,
            step_number=0,
        )
        result = await meter.call(ask, store)
        if isinstance(result, Refused) and result.limit:
            gone = (await store.counters([SCOPE]))[SCOPE].gone
            trial.false_limits += trial.cap - gone >= least
            return
        trial.answered += not isinstance(result, Refused)
