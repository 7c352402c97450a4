"""Pages of a daemon that shares its store: who else is there, and connections as all of them have them."""

from runner.money.amounts import from_cents
from runner.store.memory.fleet import MemberFleet, MemoryFleet
from runner.supervisor.facts import ConnectionFacts, DaemonFacts
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_bot
from tests.unit.web.dashboard_pages.browsing import Person, Seen
from tests.unit.web.web_stage import CUSTOM, Stage

BOTS = (a_bot("shop", channels=(CUSTOM,), cap=from_cents(500)),)
HOSTILE = "<script>alert(1)</script>/7"


def part(seen: Seen, name: str) -> list[str]:
    """The texts of the page's part of that id; none where there is none."""
    return [one.text() for one in seen.page.all("section", "div") if one.given.get("id") == name]


async def test_the_overview_shows_the_daemons() -> None:
    fleet = MemoryFleet(ManualClock())
    here, there, dead = (fleet.join(name) for name in ("here/1", HOSTILE, "dead/3"))
    for store in (there, dead):
        await store.open()
        assert isinstance(store.fleet, MemberFleet)
        held = ConnectionFacts("shop", "custom", "custom", "degraded", "", 5, store is there)
        facts = DaemonFacts(connections=(held,), duties=("work batches",), lanes=2, waiting=3, config="old")
        await store.fleet.report(facts.to_json())
    fleet.kill(dead)
    async with Stage(BOTS, store=here) as stage:
        assert isinstance(here.fleet, MemberFleet)
        await here.fleet.bury()
        await here.fleet.report(DaemonFacts(config="new").to_json())
        person = await Person(stage).sign_in()
        seen = await person.look("/")
        bot = await person.look("/bots/shop")
    [daemons] = part(seen, "daemons")
    assert "2 on one store" in daemons
    assert "<script>" not in seen.text.replace("<script src", "")
    assert f"{HOSTILE} " in daemons
    for word in ("not all connected", "shop/custom, work batches", "this page is from here", "gone"):
        assert word in daemons
    assert any("2 different bots.yaml in force" in notice for notice in seen.notices)
    for page in (seen, bot):
        assert "degraded" in page.words
        assert f"on {HOSTILE}" in page.words


async def test_one_daemon_shows_no_list_of_daemons() -> None:
    async with Stage(BOTS) as stage:
        seen = await (await Person(stage).sign_in()).look("/")
    assert part(seen, "daemons") == []
