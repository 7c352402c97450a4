"""Batches beside one another under one cap: whatever happens to them, the cap holds and the books are the bill."""

import zlib
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.reservation import ReservationState
from runner.ports.batches import Kept
from runner.store.memory import MemoryStore
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import Call, CutOff, Expired, Fate
from runner.testing.model_script import Drop, Fault, Say
from tests.unit.agent.batch_world import HALF, BatchWorld, a_prompt

ONE_LINE = 70_000
"""About what one line is held at, in pico-dollars."""


@dataclass(frozen=True)
class Open:
    lines: int
    tokens: int


@dataclass(frozen=True)
class Step:
    which: int


@dataclass(frozen=True)
class Cancel:
    which: int


@dataclass(frozen=True)
class Trouble:
    call: Call
    what: Fault | Drop | CutOff


@dataclass(frozen=True)
class Restart:
    pass


Deed = Open | Step | Cancel | Trouble | Restart
which = st.integers(0, 5)
calls: st.SearchStrategy[Call] = st.sampled_from(["submit", "look", "recent", "cancel", "results"])
troubles = st.sampled_from([Fault(500), Fault(429, retry_after="1"), Fault(400), Drop(), CutOff(), CutOff(1)])
deeds = st.lists(
    st.builds(Open, st.integers(1, 4), st.integers(1, 8000))
    | st.builds(Step, which)
    | st.builds(Step, which)
    | st.builds(Step, which)
    | st.builds(Cancel, which)
    | st.builds(Trouble, calls, troubles)
    | st.builds(Restart),
    max_size=25,
)
fates = st.sampled_from([Say("yes"), Say("no", tells_usage=False), Expired(), Fault(400), Fault(500)])


class Town:
    """One bot with a cap, and all the batches that it hands in."""

    def __init__(self, store: MemoryStore, fated: list[Fate], cap: Money, *, marks: bool) -> None:
        clock = ManualClock()
        fate = lambda name: fated[zlib.crc32(name.encode()) % len(fated)]  # noqa: E731 - the same in each run
        self.server = FakeBatchServer(clock, fate, keeps_marks=marks)
        self.server.book.looks = 2
        self.store = store
        self.world = BatchWorld(store, self.server, clock)
        self.world.roster.caps["bot"] = cap
        self.cap = cap
        self.names: list[str] = []

    async def do(self, deed: Deed) -> None:
        match deed:
            case Open(lines, tokens):
                await self.open(lines, tokens)
            case Step(number) if number < len(self.names):
                batch = await self.world.known(self.names[number])
                if batch.is_open:
                    await self.world.step(batch)
            case Cancel(number) if number < len(self.names):
                await self.store.batches.ask_cancel(self.names[number])
            case Trouble(call, what):
                self.server.book.script(call, what)
            case Restart():
                await self.store.recover()
                self.world.life()
            case _:
                pass

    async def open(self, lines: int, tokens: int) -> None:
        prompts = [a_prompt(number, max_output_tokens=tokens) for number in range(1, lines + 1)]
        opened = await self.world.open(prompts, f"b{len(self.names)}", "")
        if isinstance(opened, Kept):
            self.names.append(opened.batch.id)
        else:
            assert opened.kind in ("limit", "busy")

    async def counter(self) -> Counter:
        """What stands against the cap: never more than that, and always the sum of the rows."""
        await self.world.rows()
        counter = (await self.store.counters(["bot:bot"])).get("bot:bot", Counter())
        assert counter.taken <= self.cap
        return counter


@given(
    done=deeds,
    fated=st.lists(fates, min_size=1, max_size=7),
    affordable=st.integers(0, 12),
    marks=st.booleans(),
)
@settings(max_examples=60)
async def test_the_cap_holds_and_the_books_are_the_bill(
    *, done: list[Deed], fated: list[Fate], affordable: int, marks: bool
) -> None:
    store = MemoryStore()
    await store.open()
    town = Town(store, fated, Money(affordable * ONE_LINE), marks=marks)
    for deed in done:
        await town.do(deed)
        await town.counter()
    for name in town.names:
        assert not (await town.world.through(await town.world.known(name), 200)).is_open
    assert (await town.counter()).held == 0
    rows = await town.world.rows()
    settled = [row for row in rows if row.state is ReservationState.SETTLED]
    assert HALF is not None
    assert [row.cost for row in settled] == [HALF.cost(row.usage) for row in settled]
    assert len(town.server.bill) <= sum(row.state is not ReservationState.RELEASED for row in rows)
    assert sum(row.cost for row in rows) >= town.world.billed()
