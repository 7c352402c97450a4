"""Whose parts are whose to send: a head start, heirs, and waits that grow."""

from runner.dispatch.other_senders import (
    FIRST_WAIT_S,
    HEAD_START_S,
    HEIRS_S,
    LONGEST_WAIT_S,
    OtherSenders,
)

OURS, THEIRS = ("bot", "chat", "ours"), ("bot", "chat", "theirs")


def begun(now: float = 0.0) -> OtherSenders:
    """One that has lived for a while."""
    others = OtherSenders()
    others.wait_s(OURS, now - HEIRS_S)
    others.keep([])
    return others


def test_what_we_filed_is_ours_at_once_and_what_others_filed_after_their_head_start() -> None:
    others = begun()
    others.ours(OURS)
    assert others.wait_s(OURS, 0) == 0
    assert others.wait_s(THEIRS, 0) == HEAD_START_S
    assert others.wait_s(THEIRS, 1) == HEAD_START_S - 1
    assert others.wait_s(THEIRS, HEAD_START_S) == 0


def test_nobody_waits_for_a_daemon_that_is_gone_nor_at_our_own_start() -> None:
    assert OtherSenders().wait_s(THEIRS, 5) == 0
    others = begun()
    others.wait_s(THEIRS, 0)
    others.daemon_gone(1)
    assert others.wait_s(THEIRS, 1 + HEIRS_S / 2) == 0
    assert others.wait_s(THEIRS, 1 + HEIRS_S) == HEAD_START_S - 1 - HEIRS_S


def test_who_is_late_waits_longer_each_time_until_it_is_first() -> None:
    others, now, waits = begun(), 0.0, []
    others.ours(OURS)
    for _ in range(8):
        others.was_late(OURS, now)
        waits.append(others.wait_s(OURS, now))
        now += waits[-1]
        assert others.wait_s(OURS, now) == 0
    assert [round(wait, 6) for wait in waits[:4]] == [FIRST_WAIT_S, 0.1, 0.2, 0.4]
    assert round(waits[-1], 6) == LONGEST_WAIT_S
    others.was_first(OURS)
    others.was_late(OURS, now)
    assert round(others.wait_s(OURS, now), 6) == FIRST_WAIT_S


def test_places_of_which_nothing_is_pending_are_forgotten() -> None:
    others = begun()
    others.ours(OURS)
    others.was_late(THEIRS, 0)
    others.wait_s(THEIRS, 0)
    others.keep([OURS])
    assert others.wait_s(OURS, 0) == 0
    assert others.wait_s(THEIRS, 10) == HEAD_START_S
    others.keep([THEIRS])
    assert others.wait_s(OURS, 10) == HEAD_START_S
