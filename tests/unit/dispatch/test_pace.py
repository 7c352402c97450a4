"""How fast a bot may speak once its platform has complained."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Capabilities
from runner.dispatch.pace import CAUTIOUS_S, Pace

CAN = Capabilities(chat_interval_s=1.0, bot_interval_s=0.1)


def test_without_a_complaint_everything_goes_at_once() -> None:
    pace = Pace(CAN)
    assert {pace.reserve("a", 0.0) for _ in range(100)} == {0.0}


def test_a_chat_that_was_complained_about_waits_and_then_goes_slowly() -> None:
    pace = Pace(CAN)
    pace.complained("a", 5.0, 100.0, whole_bot=False)
    assert pace.is_silent("a", 104.9)
    assert not pace.is_silent("a", 105.0)
    assert [pace.reserve("a", 100.0) for _ in range(3)] == [5.0, 6.0, 7.0]
    assert pace.reserve("b", 100.0) == 0.0


def test_a_complaint_about_the_bot_holds_for_all_chats() -> None:
    pace = Pace(CAN)
    pace.complained("a", 5.0, 0.0, whole_bot=True)
    assert [round(pace.reserve(place, 0.0), 3) for place in "abc"] == [5.0, 5.1, 5.2]
    assert pace.is_silent("z", 4.0)


def test_a_shorter_complaint_ends_no_longer_silence() -> None:
    pace = Pace(CAN)
    pace.complained("a", 30.0, 0.0, whole_bot=True)
    pace.complained("b", 5.0, 1.0, whole_bot=True)
    assert pace.is_silent("c", 29.0)
    assert pace.reserve("c", 1.0) == 29.0


def test_a_while_later_it_is_forgotten() -> None:
    pace = Pace(CAN)
    pace.complained("a", 5.0, 0.0, whole_bot=False)
    pace.complained("a", 5.0, 0.0, whole_bot=True)
    assert pace.reserve("a", 5.0 + CAUTIOUS_S) == 0.0
    assert (pace._bot, pace._chats) == (None, {})


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from("ab"), st.none() | st.floats(0, 20), st.booleans()),
        max_size=60,
    ),
)
def test_nothing_goes_in_a_silence(
    events: list[tuple[float, str, float | None, bool]],
) -> None:
    """At each step the time goes on and a place either is complained about or reserves."""
    pace, now = Pace(CAN), 0.0
    for gap, place, wait, whole_bot in events:
        now += gap
        if wait is not None:
            pace.complained(place, wait, now, whole_bot=whole_bot)
            continue
        at = now + pace.reserve(place, now)
        assert not pace.is_silent(place, at + 1e-6)


@given(st.lists(st.floats(0, 3), max_size=60))
def test_a_chat_keeps_its_distance_for_a_while(gaps: list[float]) -> None:
    pace, now, slots = Pace(CAN), 0.0, list[float]()
    pace.complained("a", 5.0, now, whole_bot=False)
    for gap in gaps:
        now += gap
        if now < 5.0 + CAUTIOUS_S:
            slots.append(now + pace.reserve("a", now))
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in pairwise(slots))
