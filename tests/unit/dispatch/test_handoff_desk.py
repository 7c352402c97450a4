"""The desk: what is asked is told, decided once, and goes on once, whatever happens in between."""

from dataclasses import replace

import pytest

from adapters.messages import inbound_to_json
from runner.clock import UnixMs
from runner.dispatch.errands import Resume, unwrap, wrap
from runner.dispatch.handoffs import DecidedBefore, HandoffDesk, NoHandoff
from runner.ports.observer import Event, HandoffAsked, HandoffDecided, TurnFinished
from runner.ports.runs import Decision, Handoff
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.pipeline import pipeline
from runner.testing.scenes import a_bot, a_message
from tests.contract.stores.examples import NOON, answer, inbound

LANE = "bot|chat|ada|ada"
MESSAGE = a_message("money back, please")


def asked(name: str = "ht1.ask") -> Handoff:
    return Handoff(
        id=name,
        run="rt1",
        bot="bot",
        conversation="c1",
        channel="chat",
        lane=LANE,
        user="ada",
        reason="wants money back",
        errand=wrap(Resume("rt1"), MESSAGE),
        asked_ms=UnixMs(NOON),
    )


async def with_handoffs(store: MemoryStore, *handoffs: Handoff) -> None:
    """Turns that have ended with these questions."""
    await store.open()
    for handoff in handoffs or (asked(),):
        row = inbound(
            f"e {handoff.id}", lane=LANE, bot="bot", channel="chat", payload=inbound_to_json(MESSAGE)
        )
        await answer(store, row, handoff=handoff)


def desk_of(store: MemoryStore) -> tuple[HandoffDesk, RecordingObserver]:
    observer = RecordingObserver()
    return HandoffDesk(store.runs, ManualClock(NOON + 5), observer), observer


async def test_a_decision_goes_on_with_the_run() -> None:
    store = MemoryStore()
    await with_handoffs(store)
    desk, observer = desk_of(store)
    done = await desk.decide("ht1.ask", Decision.REJECTED, "ann", "not without the receipt")
    assert done == replace(
        asked(),
        decision=Decision.REJECTED,
        by="ann",
        comment="not without the receipt",
        decided_ms=UnixMs(NOON + 5),
    )
    assert observer.events == [HandoffDecided("bot", "chat", "ht1.ask", "rejected")]
    [errand] = await store.runs.errands(0, 9)  # due whatever the clock says
    assert (errand.lane, errand.channel, errand.run, errand.user) == (LANE, "chat", "rt1", "ada")
    assert unwrap(errand.payload) == (MESSAGE, Resume("rt1", "rejected", "not without the receipt", "ann"))


async def test_only_the_first_decision_counts() -> None:
    store = MemoryStore()
    await with_handoffs(store)
    desk, observer = desk_of(store)
    first = await desk.decide("ht1.ask", Decision.APPROVED, "ann", "")
    assert isinstance(first, Handoff)
    assert await desk.decide("ht1.ask", Decision.REJECTED, "bob", "no") == DecidedBefore(first)
    assert await desk.decide("never", Decision.REJECTED, "bob", "no") == NoHandoff()
    assert len(await store.runs.errands(0, 9)) == len(observer.events) == 1


async def test_of_two_at_once_one_decides() -> None:
    class Slow(MemoryStore):
        """Somebody else decides between the look and the decision."""

        async def others(self) -> None:
            desk, _ = desk_of(self)
            await desk.decide("ht1.ask", Decision.APPROVED, "quick", "")

    store = Slow()
    await with_handoffs(store)
    desk, observer = desk_of(store)
    looked = store.runs.handoff
    answers = [await looked("ht1.ask")]

    async def stale(handoff: str) -> Handoff | None:
        return answers.pop() if answers else await looked(handoff)

    await store.others()
    store.runs.handoff = stale  # type: ignore[method-assign] # what it was a moment ago
    done = await desk.decide("ht1.ask", Decision.REJECTED, "slow", "")
    assert isinstance(done, DecidedBefore)
    assert (done.handoff.by, observer.events) == ("quick", [])


async def test_what_waits_is_told_again_at_a_start_the_oldest_first() -> None:
    store = MemoryStore()
    await with_handoffs(store, asked("h1"), asked("h2"), asked("h3"))
    desk, observer = desk_of(store)
    await desk.decide("h2", Decision.APPROVED, "ann", "")
    observer.events.clear()
    await desk.remind()
    assert observer.events == [HandoffAsked("bot", "chat", name, "rt1") for name in ("h1", "h3")]


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """The process ends when it is told that something was decided."""

    def note(self, event: Event) -> None:
        raise Killed


async def test_a_crash_before_the_decision_leaves_it_open_and_behind_it_done() -> None:
    deadly = ["runs.decide"]

    def before(method: str) -> None:
        if method in deadly:
            deadly.remove(method)
            raise Killed

    store = MemoryStore(before)
    await with_handoffs(store)
    desk = HandoffDesk(store.runs, ManualClock(NOON), Dying())
    with pytest.raises(Killed):
        await desk.decide("ht1.ask", Decision.REJECTED, "ann", "")
    assert await store.runs.next_errand_ms() is None
    with pytest.raises(Killed):
        await desk.decide("ht1.ask", Decision.APPROVED, "ann", "")
    assert isinstance(await desk.decide("ht1.ask", Decision.APPROVED, "bob", ""), DecidedBefore)
    async with pipeline(a_bot(), store=store) as walk:
        [told] = await walk.observer.until(TurnFinished)
        assert (told.turn, told.stop_reason) == ("t2", "notice")
        assert await store.runs.next_errand_ms() is None
        assert await store.waiting_lanes(["bot"], [], 9, walk.clock.now_ms()) == []
