"""Promise: a provider that is dead for ten minutes costs no answer, no storm of calls and no money that was not spent.

Who writes meanwhile is told so; each message is tried a few times at most; what surely did not run is released,
what nobody can tell about stays taken; afterwards all goes on by itself. The ten minutes are a manual clock's.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runner.money.ledger import LedgerEntry, verify
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Drop, Fault, Hang, Say
from runner.testing.pipeline import Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import a_bot
from tests.faults.reload_house import house

pytestmark = pytest.mark.faults

DEAD_S = 600
SAY_EVERY_S = 10
USERS = 8
STEP_S = 0.5
ROUNDS = 15
"""Of the loop: more than any one thing needs that waits for nothing but the clock."""
RELEASED, UNKNOWN, SETTLED = ReservationState.RELEASED, ReservationState.UNKNOWN, ReservationState.SETTLED


class Health:
    """What the provider does now."""

    def __init__(self, now: Behaviour) -> None:
        self.now = now

    def __call__(self, _: ModelRequest) -> Behaviour:
        return self.now


async def let(clock: ManualClock, seconds: float) -> None:
    """Let that much time pass, in small steps, and everybody act after each."""
    for _ in range(round(seconds / STEP_S)):
        clock.advance(STEP_S)
        for _ in range(ROUNDS):
            await clock.sleep(0)


async def rows_of(walk: Pipeline) -> list[LedgerEntry]:
    rows = [row async for row in walk.store.ledger(LedgerFilter())]
    assert verify(await walk.store.counters(), rows) == []
    return rows


@pytest.mark.parametrize(
    ("death", "attempts", "state", "told"),
    [
        (Fault(503), 4, RELEASED, "I can't reach my language model right now. Please try again later."),
        (
            Fault(429, retry_after="20"),
            2,
            RELEASED,
            "I can't reach my language model right now. Please try again later.",
        ),
        (Drop(), 2, UNKNOWN, "I can't reach my language model right now. Please try again later."),
        (Hang(), 1, UNKNOWN, "I could not answer in time. Please try again."),
    ],
    ids=["overloaded", "slow down", "hangs up", "silent"],
)
async def test_ten_minutes(death: Behaviour, attempts: int, state: ReservationState, told: str) -> None:
    clock = ManualClock()
    health = Health(death)
    async with pipeline(a_bot(), clock=clock, provider=FakeProvider(clock, health)) as walk:
        said = 0
        for _ in range(DEAD_S // SAY_EVERY_S):
            await walk.adapter.say(f"message {said}", user=f"user {said % USERS}")
            said += 1
            await let(clock, SAY_EVERY_S)
        while len(walk.adapter.sent) < said:  # who is behind
            await let(clock, SAY_EVERY_S)
        assert [message.text for message in walk.adapter.sent] == [told] * said

        dead = await rows_of(walk)
        tries = Counter(row.attempt.turn for row in dead)
        assert len(tries) == said
        assert max(tries.values()) <= attempts, "no message is tried for ever"
        assert len(walk.provider.calls) == len(dead), "and nobody else calls"
        assert {row.state for row in dead} == {state}
        expected = 0 if state is RELEASED else sum(row.hold for row in dead)
        assert sum(row.cost for row in dead) == expected
        assert not walk.meter.running

        health.now = Say("I am back.")
        for user in range(USERS):
            await walk.adapter.say("are you there?", user=f"user {user}")
        await let(clock, 1)
        assert [message.text for message in walk.adapter.sent[said:]] == ["I am back."] * USERS
        alive = (await rows_of(walk))[len(dead) :]
        assert [row.state for row in alive] == [SETTLED] * USERS, "at the first attempt"


async def test_a_provider_that_is_not_there_and_comes_back(tmp_path: Path) -> None:
    """The same with the provider's own client on real sockets: nobody listens."""
    async with house(tmp_path) as home:
        port = urlsplit(home.model.url).port
        assert port
        await home.model.stop()
        status, body = await home.ask("hello")
        assert (status, body["stop_reason"]) == (200, "provider_error")
        dead = [row async for row in home.daemon.store.ledger(LedgerFilter())]
        assert {row.state for row in dead} == {RELEASED}
        assert 1 <= len(dead) <= 4
        await home.model.start(port)
        told: Mapping[str, object] = (await home.ask("hello"))[1]
        assert told["stop_reason"] == "answered"
        assert len(home.model.bill) == 1
