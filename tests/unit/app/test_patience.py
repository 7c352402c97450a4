"""A start waits for a database that cannot be reached yet, says so once, and does not wait for ever."""

from typing import Any

import pytest

from runner.app.patience import AGAIN_S, PATIENCE_S, reach, with_patience
from runner.clock import SystemClock, UnixMs
from runner.errors import OperatorError, StoreError, StoreRefused


class Quick:
    """A clock whose sleeps are over at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def now_ms(self) -> UnixMs:
        return UnixMs(int(self.now * 1000))

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Log:
    """A logger that takes note."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def warning(self, event: str, **values: str) -> None:
        self.told.append(f"{event}: {values['why']}")


class Database:
    """One that fails so often, each time in its way."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)

    def __call__(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "read"


@pytest.fixture
def log() -> Any:
    return Log()


def test_what_is_there_is_not_waited_for(log: Any) -> None:
    clock = Quick()
    assert (with_patience(Database(), clock, log), clock.now, log.told) == ("read", 0, [])


def test_what_comes_later_is_waited_for_and_told_once_for_each_reason(log: Any) -> None:
    clock, away = Quick(), [StoreError("db:5432/x cannot be reached") for _ in range(3)]
    assert with_patience(Database(*away, StoreError("it starts up")), clock, log) == "read"
    assert clock.now == 4 * AGAIN_S
    assert log.told == [
        "waiting for the store: db:5432/x cannot be reached",
        "waiting for the store: it starts up",
    ]


def test_after_a_while_it_is_a_failure_that_is_worth_another_try(log: Any) -> None:
    clock = Quick()
    with pytest.raises(StoreError, match="away"):
        with_patience(Database(*(StoreError("away") for _ in range(1000))), clock, log)
    assert PATIENCE_S <= clock.now <= PATIENCE_S + AGAIN_S


@pytest.mark.parametrize("fault", [StoreRefused("no such user"), OperatorError("a faulty file")])
def test_what_no_time_mends_is_told_at_once(log: Any, fault: Exception) -> None:
    clock = Quick()
    with pytest.raises(type(fault)):
        with_patience(Database(fault), clock, log)
    assert clock.now == 0


def test_a_store_of_this_machine_is_not_asked() -> None:
    reach("sqlite:nothing.db", SystemClock())
    with pytest.raises(StoreError, match="cannot be reached"):
        reach("postgresql://127.0.0.1:1/x", SystemClock())
