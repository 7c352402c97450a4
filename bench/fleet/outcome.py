"""What a run comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went. Shares are of its whole time; `row` is the busiest of them.

    Attributes:
        rate: messages done a second, from the first fifth to the ninth tenth of them.
        p50, p99: seconds from a message's birth to its end, without the model's own time.
        batch: units a transaction.
        longest_wait: for a row; the product gives up after 5 s.
        faults: what must never be.
    """

    seconds: float
    rate: float
    p50: float
    p99: float
    cores: float
    background: float
    log: float
    row: float
    daemon: float
    batch: float
    flushes: float
    most_locks: int
    refused_locks: int
    refused: int
    told: int
    doubled: int
    calls: int
    longest: float
    longest_wait: float
    faults: tuple[str, ...]
