"""How many messages a minute, exactly."""

from hypothesis import given
from hypothesis import strategies as st

from runner.dispatch.limits import MAX_KEYS, OwnRates, RateLimiter
from runner.ports.rates import MINUTE_S
from runner.testing.clock import ManualClock


def test_as_many_as_allowed_then_the_wait_is_told() -> None:
    rates = RateLimiter()
    assert [rates.take("a", 2, now) for now in (0.0, 10.0)] == [0.0, 0.0]
    assert rates.take("a", 2, 15.0) == 45.0
    assert rates.take("b", 2, 15.0) == 0.0, "each key by itself"
    assert rates.take("a", 2, 60.0) == 0.0
    assert rates.take("a", 2, 60.0) == 10.0


def test_no_limit_and_none_at_all() -> None:
    rates = RateLimiter()
    assert {rates.take("a", None, 0.0) for _ in range(1000)} == {0.0}
    assert rates.take("b", 0, 0.0) == MINUTE_S


def test_all_or_none_are_counted() -> None:
    rates = RateLimiter()
    both = (("bot", 2), ("user", 1))
    assert rates.take_all(both, 0.0) == 0.0
    assert rates.take_all(both, 1.0) == 59.0, "the user's limit"
    assert rates.take("bot", 2, 2.0) == 0.0, "whoever was refused took nothing of the bot's"


def test_what_is_given_back_is_the_message_s_own() -> None:
    rates = RateLimiter()
    both = (("bot", 2), ("user", None))
    rates.take_all(both, 0.0)
    rates.take_all(both, 10.0)
    rates.give_back(both, 0.0)
    rates.give_back(both, 5.0)
    assert rates.take("bot", 2, 20.0) == 0.0
    assert rates.take("bot", 2, 20.0) == 50.0


async def test_a_process_counts_by_its_own_clock_and_gives_back_what_was_meant() -> None:
    clock = ManualClock()
    rates, both = OwnRates(clock), (("bot", 2), ("user", None))
    assert [await rates.take_all(both) for _ in range(2)] == [0.0, 0.0]
    clock.advance(10)
    assert await rates.take_all(both) == 50.0
    clock.advance(50)
    assert await rates.take_all(both) == 0.0
    clock.advance(7)
    assert await rates.take_all(both) == 0.0
    await rates.give_back(both, ago_s=7.0)
    assert await rates.take_all(both) == 0.0, "the first of the two came to nothing"
    assert await rates.take_all(both) == 60.0, "and the second one counts from when it was"
    await rates.give_back(both)
    assert await rates.take_all(both) == 0.0
    assert await rates.take_all(both) == 60.0


@given(st.integers(1, 5), st.lists(st.floats(0, 100), max_size=60))
def test_never_more_than_the_limit_in_any_sixty_seconds(limit: int, gaps: list[float]) -> None:
    rates, now, passed = RateLimiter(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait = rates.take("a", limit, now)
        if wait:
            now += wait
            wait = rates.take("a", limit, now)
        if not wait:
            passed.append(now)
    for first, last in zip(passed, passed[limit:], strict=False):
        assert last - first >= MINUTE_S - 1e-6


def test_memory_is_bounded_and_the_longest_idle_is_forgotten() -> None:
    rates = RateLimiter()
    rates.take("busy", 2, 0.0)
    for number in range(MAX_KEYS + 10):
        rates.take(f"k{number}", 1, 0.0)
        if number == MAX_KEYS // 2:
            rates.take("busy", 2, 0.0)
    assert len(rates._log) == MAX_KEYS
    assert rates.take("busy", 2, 0.0) > 0
    assert rates.take("k0", 1, 0.0) == 0.0
