"""Messages for later, under any sequence of waits, clock jumps and crashes: each is said once, and none too early."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.testing.fake import FakeAdapter
from runner.dispatch.errands import Say, wrap
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.pipeline import INSTANT_S, pipeline
from runner.testing.scenes import a_bot
from runner.workflows.doers.later import LaterDoer
from runner.workflows.expressions import Json
from tests.unit.workflows.doing_world import doing

HOUR = 3600
ACTIONS = st.one_of(
    st.tuples(st.just("owe"), st.integers(0, 3 * HOUR)),
    st.tuples(st.just("wait"), st.integers(1, 2 * HOUR)),
    st.tuples(st.just("jump"), st.integers(-5 * HOUR, 5 * HOUR)),
    st.tuples(st.just("crash"), st.just(0)),
)


@dataclass
class World:
    """What outlives a crash, and what is to be expected.

    Attributes:
        owed: text -> when it is due, Unix ms.
        due: texts that must have been said by now.
        heard: what came out, by the key under which it was said.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=lambda: ManualClock(instant_s=INSTANT_S))
    owed: dict[str, int] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    heard: dict[str, str] = field(default_factory=dict)

    async def owe(self, delay_s: int) -> None:
        text = f"message {len(self.owed)}"
        doer = LaterDoer(lambda said, message: wrap(Say(said), message), self.clock)
        data: dict[str, Json] = {"text": text, "delay": delay_s}
        it = doing("schedule_message", data, run=f"rt{len(self.owed)}")
        for _ in range(2):  # its turn was begun again
            [errand] = (await doer.do(it)).errands
            await self.store.runs.owe(errand)
        self.owed[text] = errand.due_ms

    def look(self) -> None:
        now = self.clock.now_ms()
        self.due |= {text for text, due_ms in self.owed.items() if due_ms <= now}


async def live(world: World, actions: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Do what there is to do until a crash; what is left after it."""
    adapter = FakeAdapter()
    async with pipeline(a_bot(), store=world.store, clock=world.clock, adapter=adapter) as walk:
        for number, (action, amount) in enumerate([("wait", 0), *actions]):
            if action == "crash":
                return actions[number:]
            if action == "owe":
                await world.owe(amount)
            elif action == "wait":
                world.clock.advance(amount)
            else:
                world.clock.set_wall(world.clock.now_ms() + amount * 1000)
            world.look()
            walk.errands.look()
            while set(world.heard.values()) < world.due:
                count = len(adapter.sent)
                world.heard |= {reply.key: reply.text for reply in adapter.sent}
                if set(world.heard.values()) < world.due:
                    await adapter.replies(count + 1)
            world.heard |= {reply.key: reply.text for reply in adapter.sent}
            assert set(world.heard.values()) == world.due
        return []


async def whole_life(actions: list[tuple[str, int]]) -> None:
    world = World()
    await world.store.open()
    rest = [*actions, ("wait", 10 * HOUR), ("jump", 100 * HOUR)]
    while rest:
        rest = await live(world, rest)
    assert sorted(world.heard.values()) == sorted(world.owed)


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=12))
def test_each_is_said_once_and_not_before_its_time(actions: list[tuple[str, int]]) -> None:
    asyncio.run(whole_life(actions))
