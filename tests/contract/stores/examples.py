"""Values for the suites. One output token costs one pico-dollar, the input 100: sums can be done in the head."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.money.amounts import Money
from runner.money.budget import Measure, ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import Held, HoldRequest, LedgerFilter, Settlement
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound, NewOutbound, Work
from runner.ports.stores import Store

NOON = 1_767_268_800_000
"""2026-01-01T12:00Z."""
DAY = 86_400_000

WANTED = Estimate(
    input_tokens=100, output_tokens=1000, floor_tokens=200, input_cost=Money(100), output_rate=10**6
)
"""1100 in full, 300 at the least."""

SETTLED, RELEASED, UNKNOWN = ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN


def inbound(event: str = "e1", lane: str = "lane-1", bot: str = "bot-1", **others: Any) -> NewInbound:
    plain = NewInbound(bot, "telegram", "acc", event, lane, f'{{"event":"{event}"}}', NOON)
    return replace(plain, **others)


def attempt(name: str, turn: str = "t1", **others: Any) -> Attempt:
    plain = Attempt(
        id=name,
        time_ms=NOON,
        bot="bot-1",
        platform="telegram",
        channel="telegram",
        conversation="c1",
        user="anna",
        turn=turn,
        provider="openai",
        model="small",
        price_version="test",
    )
    return replace(plain, **others)


def scope(name: str = "bot:bot-1", limit: int | None = 10_000, **others: Any) -> ScopeLimit:
    return ScopeLimit(name, limit, **others)


def quota(limit: int | None, name: str = "plan-tokens:starter@2026-01") -> ScopeLimit:
    """A month's tokens of a plan."""
    return ScopeLimit(name, limit, Measure.TOKENS)


def wish(
    name: str, scopes: Sequence[ScopeLimit] = (scope(),), wanted: Estimate = WANTED, **others: Any
) -> HoldRequest:
    return HoldRequest(attempt(name, **others), tuple(scopes), wanted)


async def held(store: Store, name: str, *scopes: ScopeLimit, **others: Any) -> Held:
    """A hold that must be granted."""
    result = await store.hold(wish(name, scopes or (scope(),), **others))
    assert isinstance(result, Held)
    return result


def settled(name: str, cost: int = 700, **others: Any) -> Settlement:
    plain = Settlement(name, SETTLED, Money(cost), Usage(100, 600), "req-1", "end", 42)
    return replace(plain, **others)


async def spent(store: Store, name: str, cost: int = 700, **others: Any) -> None:
    """A whole attempt, in no scope."""
    await store.hold(HoldRequest(attempt(name, **others), (), WANTED))
    await store.settle(settled(name, cost))


def finished(work: Work, *messages: str, parts: int = 0, **others: Any) -> FinishedTurn:
    """The end of a turn that goes on with the lane's conversation, or starts `c<inbox id>`; each has its own place."""
    place = f"place {work.inbox_id}"
    then = work.conversation or ConversationState(f"c{work.inbox_id}", NOON, NOON)
    plain = FinishedTurn(
        inbox_id=work.inbox_id,
        turn=work.turn,
        bot=work.bot,
        channel=work.channel,
        lane=work.lane,
        user="anna",
        conversation=replace(then, last_ms=NOON, next_seq=then.next_seq + len(messages)),
        stop_reason="answered",
        at_ms=NOON,
        messages=messages,
        outbox=tuple(NewOutbound(work.bot, work.channel, place, f"part {n}") for n in range(parts)),
    )
    return replace(plain, **others)


async def work_on(store: Store, lane: str = "lane-1", now_ms: int = NOON) -> Work:
    """The lane's next message, which must be there."""
    async with store.lane(lane) as session:
        assert session is not None
        work = await session.next(now_ms)
    assert work is not None
    return work


async def answer(store: Store, message: NewInbound, *messages: str, **others: Any) -> tuple[int, ...]:
    """Accept a message and finish its turn at once; its outbox ids."""
    await store.accept(message)
    async with store.lane(message.lane) as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        return tuple(part.id for part in await session.finish(finished(work, *messages, **others)))


async def rows(store: Store, which: LedgerFilter | None = None) -> list[LedgerEntry]:
    return [row async for row in store.ledger(which or LedgerFilter())]
