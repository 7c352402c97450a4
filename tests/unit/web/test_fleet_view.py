"""The fleet as people see it: who is there, and each connection as all daemons together have it."""

import pytest

from adapters.contract import ConnectionState
from runner.money.amounts import from_cents
from runner.ports.fleet import DaemonLine
from runner.store.memory.fleet import MemoryFleet
from runner.supervisor import Connection
from runner.supervisor.facts import ConnectionFacts, DaemonFacts
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_bot
from runner.web.fleet import NOBODY_YET, FleetNow, Joined, fleet_now, joined
from tests.unit.web.web_stage import CUSTOM, Stage, bearer

UP, DEGRADED, CONNECTING, DOWN, REFUSED = (
    ConnectionState.UP,
    ConnectionState.DEGRADED,
    ConnectionState.CONNECTING,
    ConnectionState.DOWN,
    ConnectionState.REFUSED,
)


def said(state: str, *, held: bool | None = None, why: str = "", since_ms: int = 5) -> ConnectionFacts:
    return ConnectionFacts("shop", "telegram", "telegram", state, why, since_ms, held)


def seen(*words: ConnectionFacts | None, gone: tuple[int, ...] = ()) -> FleetNow:
    """A fleet of as many daemons; the first is the one that is asked."""
    return fleet_now(
        [
            DaemonLine(
                number,
                f"host-{number}/7",
                "1.0",
                1,
                started_ms=1,
                seen_ms=2,
                facts=DaemonFacts(connections=() if word is None else (word,)).to_json(),
                ended_ms=3 if number in gone else None,
            )
            for number, word in enumerate(words, start=1)
        ],
        here=1,
        now_ms=10,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([said(UP), said(DOWN)], Joined(UP, "", 5)),
        ([said(DOWN, why="no way"), said(REFUSED)], Joined(DOWN, "no way", 5)),
        ([said(CONNECTING), said(DEGRADED, why="slow", since_ms=7)], Joined(DEGRADED, "slow", 7)),
        ([said(CONNECTING, held=False), said(UP, held=True)], Joined(UP, "", 5, "host-2/7")),
        (
            [said(DOWN, held=True, why="away"), said(CONNECTING, held=False)],
            Joined(DOWN, "away", 5, "host-1/7"),
        ),
        ([said(CONNECTING, held=False), said(CONNECTING, held=False)], Joined(CONNECTING, NOBODY_YET, 5)),
        ([said("dancing"), said(DOWN)], Joined(DOWN, "", 5)),
        ([None, said(UP)], Joined(UP, "", 5)),
    ],
)
def test_a_connection_is_as_its_holder_or_the_best_has_it(
    words: list[ConnectionFacts | None], expected: Joined
) -> None:
    assert seen(*words).connections == {("shop", "telegram"): expected}


def test_who_is_gone_says_nothing_and_stands_last() -> None:
    fleet = seen(said(UP, held=True), said(CONNECTING, held=False), gone=(1,))
    assert fleet.connections["shop", "telegram"] == Joined(CONNECTING, NOBODY_YET, 5)
    assert [(one.line.id, one.is_gone, one.here) for one in fleet.daemons] == [
        (2, False, False),
        (1, True, True),
    ]


def test_who_left_without_a_word_was_a_command() -> None:
    lines = [
        DaemonLine(1, "left/1", "1", 1, 1, 1, ended_ms=2),
        DaemonLine(2, "begins/2", "1", 1, 1, 1),
    ]
    assert [one.line.name for one in fleet_now(lines, 1, 3).daemons] == ["begins/2"]


def test_what_nobody_speaks_of_is_as_we_have_it() -> None:
    ours = Connection("shop", "slack", "slack", DOWN, "away", 3)
    other = Connection("shop", "telegram", "telegram", CONNECTING, "elsewhere", 3)
    fleet = seen(said(CONNECTING, held=False), said(UP, held=True))
    assert joined([ours, other], fleet) == [
        (ours, ""),
        (Connection("shop", "telegram", "telegram", UP, "", 5), "host-2/7"),
    ]
    assert joined([ours], None) == [(ours, "")]


def test_a_daemon_counts_what_is_its_own() -> None:
    facts = DaemonFacts(
        connections=(said(UP, held=True), said(CONNECTING, held=False), said(DOWN)),
        more_connections=2,
        duties=("work upkeep",),
    )
    [one] = fleet_now([DaemonLine(1, "h/1", "1", 1, 1, 1, facts.to_json())], 1, 1).daemons
    assert (one.connections, one.up, one.holds) == (4, 3, ("shop/telegram", "work upkeep"))


async def test_status_tells_of_the_fleet() -> None:
    fleet = MemoryFleet(ManualClock())
    here, there, dead = (fleet.join(name) for name in ("here/1", "there/2", "dead/3"))
    for store, held in ((there, True), (dead, None)):
        await store.open()
        assert store.fleet is not None
        facts = DaemonFacts(
            connections=(ConnectionFacts("shop", "custom", "custom", "up", "", 5, held),),
            duties=("work batches",),
            lanes=2,
            waiting=3,
            lag_ms=4,
            url="http://there:8080",
            config=f"of {store.name}",
        )
        await store.fleet.report(facts.to_json())
    fleet.kill(dead)
    bots = (a_bot("shop", channels=(CUSTOM,), cap=from_cents(500)),)
    async with Stage(bots, store=here) as stage:
        assert here.fleet is not None
        await here.fleet.bury()
        await here.fleet.report(DaemonFacts(config="another").to_json())
        status, answer, _ = await stage.ask("GET", "/api/status", headers=bearer("read"))
    assert status == 200
    shown = {one["name"]: one for one in answer["fleet"]["daemons"]}
    assert list(shown) == ["there/2", "here/1", "dead/3"]
    assert [one["here"] for one in shown.values()] == [False, True, False]
    assert shown["dead/3"]["state"] == "gone"
    assert shown["dead/3"]["ended_at"] is not None
    assert shown["there/2"] | {"started_at": "", "seen_at": "", "version": ""} == {
        "id": 1,
        "name": "there/2",
        "version": "",
        "state": "alive",
        "here": False,
        "started_at": "",
        "seen_at": "",
        "ended_at": None,
        "url": "http://there:8080",
        "connections": 1,
        "connections_up": 1,
        "holds": ["shop/custom", "work batches"],
        "lanes": 2,
        "waiting": 3,
        "lag_ms": 4,
        "config": "of there/2",
    }
    assert answer["fleet"]["files"] == 2
    [connection] = answer["bots"][0]["connections"]
    assert (connection["state"], connection["held_by"]) == ("up", "there/2")
    assert answer["bots"][0]["connection"] == "up"


async def test_one_daemon_is_no_fleet() -> None:
    async with Stage() as stage:
        _, answer, _ = await stage.ask("GET", "/api/status", headers=bearer("read"))
    assert answer["fleet"] is None
    assert answer["bots"][0]["connections"][0]["held_by"] is None
