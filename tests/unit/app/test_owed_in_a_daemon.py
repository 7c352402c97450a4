"""A whole daemon on a real store: what was owed before a restart is done after it, once, and hand-offs are decided."""

from pathlib import Path

from adapters.messages import ChatRef, InboundMessage, Sender, inbound_to_json
from runner.app.parts import Site
from runner.app.running import settings_of
from runner.app.working import working
from runner.clock import SystemClock, UnixMs
from runner.dispatch.errands import Resume, Say, wrap
from runner.ports.observer import ErrandBegun, HandoffAsked, HandoffDecided, TurnFinished
from runner.ports.runs import Decision, Errand, Handoff
from runner.store.catalogue import open_store
from runner.telemetry.logs import Cut
from runner.testing.observer import RecordingObserver
from tests.contract.stores.examples import NOON, answer, inbound

FILE = """
server: {port: 0}
reload: off
prices: {echo: {input: "1", output: "2"}}
bots:
  hello: {platform: custom, llm_provider: echo, llm_model: echo, spending_cap_cents: 100, system_prompt: Be kind.}
"""
LANE = "hello|custom|ada|ada"
MESSAGE = InboundMessage("e1", ChatRef("ada"), Sender("ada"), "money back, please")
HANDOFF = Handoff(
    id="ht1.ask",
    run="rt1",
    bot="hello",
    conversation="c1",
    channel="custom",
    lane=LANE,
    user="ada",
    reason="wants money back",
    errand=wrap(Resume("rt1"), MESSAGE),
    asked_ms=UnixMs(NOON),
)


def site_of(folder: Path) -> Site:
    file = folder / "bots.yaml"
    file.write_text(FILE, encoding="utf-8")
    environ = {"BOTRUNNER_STATE": str(folder / "state")}
    return Site(file, environ, settings_of(file, environ)[0], SystemClock(), RecordingObserver(), Cut(()))


async def test_what_was_owed_before_a_restart(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    site.settings.state_dir.mkdir()
    store = open_store(site.settings.store_url, site.settings.state_dir, site.clock)
    await store.open()
    row = inbound("e1", LANE, "hello", channel="custom", payload=inbound_to_json(MESSAGE))
    say = Errand("t1.later", "hello", "custom", LANE, wrap(Say("Good morning."), MESSAGE), 0, user="ada")
    await answer(store, row, handoff=HANDOFF, errands=(say,))
    await store.close()
    async with working(site, connect=False) as daemon:
        told = site.observer
        assert isinstance(told, RecordingObserver)
        assert told.of(HandoffAsked) == [HandoffAsked("hello", "custom", "ht1.ask", "rt1")]
        [first] = await told.until(TurnFinished)
        assert (first.turn, first.stop_reason) == ("t2", "notice")
        [part] = await daemon.store.answers(2)
        assert "Good morning." in part.payload
        assert isinstance(await daemon.handoffs.decide("ht1.ask", Decision.APPROVED, "ann", ""), Handoff)
        _, second = await told.until(TurnFinished, 2)
        assert (second.turn, second.stop_reason) == ("t3", "notice")  # its run is not there
        assert len(told.of(HandoffDecided)) == 1
    again = site_of(tmp_path)
    async with working(again, connect=False) as daemon:
        assert await daemon.store.runs.next_errand_ms() is None
        assert isinstance(again.observer, RecordingObserver)
        assert not again.observer.of(HandoffAsked)
        assert not again.observer.of(ErrandBegun)
