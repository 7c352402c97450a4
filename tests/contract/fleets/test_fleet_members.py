"""Who is there: numbers, what each says of itself, who left."""

import json

from runner.ports.fleet import Burial
from tests.contract.fleets.worlds import World, buried, fleet_of


async def test_each_daemon_has_a_number_that_never_comes_again(world: World) -> None:
    one = await world.join("one")
    two = await world.join("two")
    first, second = fleet_of(one).daemon, fleet_of(two).daemon
    assert 0 < first < second
    await world.kill(two)
    await buried(one, second)
    three = await world.join("three")
    assert fleet_of(three).daemon > second
    assert fleet_of(one).daemon == first


async def test_all_are_shown_with_what_they_say(world: World) -> None:
    one = await world.join("host-a/1")
    two = await world.join("host-b/2")
    await fleet_of(two).report(json.dumps({"bots": 3}))
    lines = await fleet_of(one).daemons()
    assert [(line.id, line.name) for line in lines] == [
        (fleet_of(one).daemon, "host-a/1"),
        (fleet_of(two).daemon, "host-b/2"),
    ]
    assert [json.loads(line.facts) for line in lines] == [{}, {"bots": 3}]
    for line in lines:
        assert line.version
        assert line.schema >= 1
        assert line.ended_ms is None
        assert line.started_ms <= line.seen_ms


async def test_one_that_ended_is_shown_as_ended(world: World) -> None:
    one = await world.join("one")
    two = await world.join("two")
    gone = fleet_of(two).daemon
    await world.kill(two)
    await buried(one, gone)
    [line] = [line for line in await fleet_of(one).daemons() if line.id == gone]
    assert line.ended_ms is not None
    assert line.ended_ms >= line.started_ms


async def test_one_that_left_is_found_gone(world: World) -> None:
    one = await world.join("one")
    two = await world.join("two")
    gone = fleet_of(two).daemon
    await two.close()
    assert await buried(one, gone) == Burial((gone,))


async def test_a_later_daemon_finds_who_was_gone_before(world: World) -> None:
    one = await world.join("one")
    gone = fleet_of(one).daemon
    await one.close()
    two = await world.join("two")
    await two.recover()
    lines = await fleet_of(two).daemons()
    assert {line.id: line.ended_ms is not None for line in lines} == {gone: True, fleet_of(two).daemon: False}


async def test_the_clock_is_of_the_fleet(world: World) -> None:
    one = await world.join("one")
    two = await world.join("two")
    before = fleet_of(one).now_ms()
    middle = fleet_of(two).now_ms()
    after = fleet_of(one).now_ms()
    assert before - 100 <= middle <= after + 100
    [line, _] = await fleet_of(one).daemons()
    assert abs(line.started_ms - before) < 60_000
