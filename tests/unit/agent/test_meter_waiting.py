"""Waiting for money that others hold: in order, in time, and not when it is of no use."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from runner.agent.asks import Metered, Refused
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.usage import Usage
from runner.ports.observer import SpendRefused
from runner.testing.model_script import Say
from tests.unit.agent.meter_world import COST, LARGEST, REQUEST, World, a_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


async def hold_of_one(world: World) -> int:
    """What one call of `REQUEST` is held at, at the least."""
    await world.call(turn="t0")
    [row] = await world.rows()
    return row.hold - 4 * (1000 - 256)


async def test_who_does_not_fit_waits_until_the_other_has_settled(world: World) -> None:
    least = await hold_of_one(world)
    limit = COST * 3 + least
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", limit=limit), name="second")
    await until_waiting(world)
    assert not second.done()
    assert len(world.provider.calls) == 2, "one before, and the first"
    world.clock.advance(5)
    assert isinstance(await first, Metered)
    assert isinstance(await second, Metered)


async def test_a_small_call_does_not_overtake_a_large_one_that_waits(world: World) -> None:
    """Else a stream of small ones would keep a large one waiting for ever."""
    large = replace(REQUEST, system="x" * 5000)
    await world.call(turn="t0", request=large)
    [probe] = await world.rows()
    limit = COST * 4 + probe.hold - 4 * (1000 - 256)
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", limit=limit, request=large), name="large")
    await until_waiting(world)
    small = replace(REQUEST, max_output_tokens=256)
    third = world.tasks.create_task(world.call(turn="t3", limit=limit, request=small), name="small")
    for _ in range(5):
        await world.clock.sleep(0)
    world.clock.advance(5)
    for task in (first, second, third):
        assert isinstance(await task, Metered)
    assert [call.request for call in world.provider.calls] == [large, REQUEST, large, small]


async def test_who_waits_too_long_is_told_that_we_are_busy(world: World) -> None:
    least = await hold_of_one(world)
    limit = COST + least
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    result = await world.call(turn="t2", limit=limit, seconds=0.02)
    assert result == Refused("bot:bot", limit=False, attempts_used=0)
    assert world.observer.of(SpendRefused) == [SpendRefused("bot", "t2", "bot:bot", "busy")]
    world.clock.advance(5)
    assert isinstance(await first, Metered)


async def test_a_raised_limit_is_seen_at_once(world: World) -> None:
    least = await hold_of_one(world)
    limits = [COST + least]
    scopes = lambda _: (ScopeLimit("bot:bot", Money(limits[0])),)  # noqa: E731 - the limit as it is now
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", scopes=scopes), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", scopes=scopes), name="second")
    await until_waiting(world)
    limits[0] = LARGEST
    world.meter.limit_changed("bot:bot")
    assert isinstance(await second, Metered)
    world.clock.advance(5)
    assert isinstance(await first, Metered)


async def until_waiting(world: World) -> None:
    """Until somebody waits for money in the bot's scope; the loop has nothing else to do by then."""
    while world.meter._room.crowded(["bot:bot"]) is None:
        await world.clock.sleep(0)
