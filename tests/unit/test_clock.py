"""The clock's forms of time."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.clock import SystemClock, UnixMs, iso, utc_day

MOMENTS = st.integers(0, 253_402_300_799_999).map(UnixMs)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_795_341_600_123, "2026-11-22T10:00:00.123Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
    ],
)
def test_a_moment_is_written_to_the_millisecond(moment: int, text: str) -> None:
    assert iso(UnixMs(moment)) == text
    assert utc_day(UnixMs(moment)) == text[:10]


@given(MOMENTS)
def test_it_can_be_read_back_to_the_millisecond(moment: UnixMs) -> None:
    read = datetime.fromisoformat(iso(moment))
    assert read.tzinfo is UTC or read.utcoffset() is not None
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(moment, abs=0.01)


@given(MOMENTS, MOMENTS)
def test_later_is_greater_as_text_too(one: UnixMs, other: UnixMs) -> None:
    assert (iso(one) < iso(other)) == (one < other)
    assert (utc_day(one) < utc_day(other)) == (one // 86_400_000 < other // 86_400_000)


async def test_the_machines_clock() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.now_ms()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01
    assert clock.now_ms() - wall >= 5
    assert abs(clock.now_ms() - datetime.fromisoformat(iso(clock.now_ms())).timestamp() * 1000) < 1000


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_gives_way_once(seconds: float) -> None:
    order: list[str] = []

    async def other() -> None:
        order.append("other")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(other())
        await SystemClock().sleep(seconds)
        order.append("sleeper")
    assert order == ["other", "sleeper"]
