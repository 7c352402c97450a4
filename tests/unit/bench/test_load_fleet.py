"""The load of several daemons: who is told what, what is looked over afterwards, how it is shown."""

from collections import Counter
from pathlib import Path

import pytest

from bench.load.fleet import OURS, PRODUCERS, QUEUE, Round
from bench.load.fleet_plan import Plan, produce, write_bots
from bench.load.fleet_tables import fleet_table
from runner.config.loader import parse, sources_of
from runner.config.settings import Loaded


@pytest.mark.parametrize("daemons", [1, 2, 3, 4])
def test_sixteen_producers_are_shared_out(daemons: int) -> None:
    plans = Round(OURS, daemons, 100, 3200, hands=4).plans("postgresql://h/d", Path("bots.yaml"))
    assert sum(plan.producers for plan in plans) == PRODUCERS
    assert max(plan.producers for plan in plans) - min(plan.producers for plan in plans) <= 1
    assert sum(plan.producers * plan.messages for plan in plans) == 3200
    assert [plan.number for plan in plans] == list(range(daemons))


async def test_all_messages_are_written_each_hands_in_order() -> None:
    plan = Plan("", "", 3, 10, 2, 40, 25, 4, hands=4)
    heard: list[tuple[str, str, str]] = []

    async def write(bot: str, conversation: str, event: str) -> None:
        heard.append((bot, conversation, event))

    await produce(plan, write)
    assert len({event for _, _, event in heard}) == len(heard) == 80
    for hand in {event.rpartition("-")[0] for _, _, event in heard}:
        numbers = [int(event.rpartition("-")[2]) for _, _, event in heard if event.startswith(f"{hand}-")]
        assert numbers == list(range(10))
    assert all(bot == f"bot{int(conversation[1:]) % 10}" for bot, conversation, _ in heard)
    assert max(Counter(conversation for _, conversation, _ in heard).values()) < 20


def test_its_bots_can_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "bots.yaml"
    write_bots(file, "postgresql://h/d", 7)
    loaded = parse(file.read_text(), str(file), sources_of(file, {"BOTRUNNER_STATE": str(tmp_path)}))
    assert isinstance(loaded, Loaded)
    assert len(loaded.settings.bots) == 7
    assert loaded.settings.store_url == "postgresql://h/d"


def test_the_table_has_both_and_their_ratio() -> None:
    ours = {"rate": 900.0, "accepted": 1200.0, "daemons_ms": 0.9, "database_ms": 0.7, "load": 2.0}
    theirs = {**ours, "rate": 150.0, "load": 3.5}
    table = fleet_table({f"{OURS}/2/100": [ours], f"{QUEUE}/2/100": [theirs]})
    assert "| 100 | 2 | 900 | 1,200 | 150 | 6.0 | 0.90 | 0.70 | 1,250 |" in table
    assert "load was 2.0 to 3.5" in table
