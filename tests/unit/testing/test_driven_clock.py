"""A calendar in somebody's hand, and real seconds."""

import pytest

from runner.testing.driven_clock import DrivenClock


def test_the_calendar_only_moves_when_driven_and_only_on() -> None:
    clock = DrivenClock(5_000)
    assert clock.now_ms() == clock.now_ms() == 5_000

    clock.advance(1.5)
    clock.until(4_000)
    assert clock.now_ms() == 6_500

    clock.until(90_000)
    assert clock.now_ms() == 90_000
    with pytest.raises(ValueError, match="only grows"):
        clock.advance(-1)


async def test_seconds_pass_by_themselves_and_the_calendar_does_not_move_them() -> None:
    clock = DrivenClock()
    began = clock.monotonic()
    clock.advance(3_600)
    await clock.sleep(0.001)

    assert 0 < clock.monotonic() - began < 3_000
