"""How PostgreSQL's rates are decided: exactly a minute, one message after another, whatever the clock does."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runner.dispatch.limits import RateLimiter
from runner.store.postgres.rates import MINUTE, SECOND, Log, decide, log_of

LIMITS = {"bot": 5, "anna": 2, "ben": 3}
ASKED = st.lists(st.sets(st.sampled_from(sorted(LIMITS)), min_size=1), min_size=1, max_size=6)


class Rows:
    """The table, and what of its rows a transaction changes."""

    def __init__(self) -> None:
        self.times: dict[str, list[int]] = {key: [] for key in LIMITS}
        self.moments: list[int] = []

    def take(self, asked: list[set[str]], now: int) -> list[float]:
        logs = {key: log_of(times, now) for key, times in self.times.items()}
        waits, moment = decide([[(key, LIMITS[key]) for key in sorted(keys)] for keys in asked], logs, now)
        for key, log in logs.items():
            assert log.times == self.times[key][log.dropped :] + [moment] * log.added
            if log.added:
                self.times[key] = log.times
        self.moments.append(moment)
        return waits


def granted_in_any_minute(granted: list[tuple[int, str]]) -> Counter[str]:
    """The most messages of each key in sixty seconds, wherever they begin."""
    most: Counter[str] = Counter()
    for start, _ in granted:
        within = Counter(key for moment, key in granted if start <= moment < start + MINUTE)
        most |= within
    return most


@given(st.lists(st.tuples(st.integers(0, 320), ASKED), max_size=25))
def test_never_more_than_the_limit_in_any_minute_and_never_less(
    story: list[tuple[int, list[set[str]]]],
) -> None:
    """As one daemon counts for itself, message by message. Steps are eighths of a second: exact in binary, too."""
    rows, alone, now = Rows(), RateLimiter(), 10**15
    granted = []
    for step, asked in story:
        now += step * SECOND // 8
        waits = rows.take(asked, now)
        limited = [[(key, LIMITS[key]) for key in sorted(keys)] for keys in asked]
        assert [bool(wait) for wait in waits] == [
            bool(alone.take_all(each, now / SECOND)) for each in limited
        ]
        granted += [(now, key) for keys, wait in zip(asked, waits, strict=True) if not wait for key in keys]
    assert all(count <= LIMITS[key] for key, count in granted_in_any_minute(granted).items())
    assert all(len(times) <= LIMITS[key] for key, times in rows.times.items())


@given(st.lists(st.tuples(st.integers(-90 * SECOND, 90 * SECOND), ASKED), max_size=25))
def test_a_clock_that_is_put_back_stops_nothing_for_longer_than_two_minutes(
    story: list[tuple[int, list[set[str]]]],
) -> None:
    rows, now = Rows(), 10**15
    for step, asked in story:
        now += step
        assert all(wait <= 2 * MINUTE / SECOND for wait in rows.take(asked, now))
    assert all(times == sorted(times) for times in rows.times.values())
    assert not any(rows.take([set(LIMITS)], now + 2 * MINUTE))


def test_the_wait_ends_when_there_is_room() -> None:
    log = Log([SECOND, 2 * SECOND, 3 * SECOND])
    assert decide([[("a", 3)]], {"a": log}, 5 * SECOND) == ([56.0], 5 * SECOND)
    assert decide([[("a", 2)]], {"a": log}, 5 * SECOND) == ([57.0], 5 * SECOND), "a limit that was lowered"
    assert decide([[("a", 0)]], {"a": log}, 5 * SECOND) == ([60.0], 5 * SECOND)
    assert decide([[("a", 4)], [("a", 4)]], {"a": log}, 5 * SECOND) == ([0.0, 56.0], 5 * SECOND)
    assert (log.times, log.added) == ([SECOND, 2 * SECOND, 3 * SECOND, 5 * SECOND], 1)


def test_what_is_a_minute_old_is_dropped() -> None:
    assert log_of([1, 2, 3], MINUTE + 2) == Log([3], 2)
    assert log_of([1, 2 * MINUTE], 5) == Log([], 2), "far in the future: the clock was put back"
    assert log_of([], 5) == Log([])
