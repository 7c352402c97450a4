"""Who runs batches: a provider that takes many requests at once and answers within a day, at half the price.

Named by the batch meter and by those who build one; by nobody else. What a line asked for and what it used are
reckoned like any call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.ports.outcomes import Outcome
from runner.ports.provider import Prepared


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One line as it is sent. `custom_id`: unique in the batch, [A-Za-z0-9_-]{1,64}."""

    custom_id: str
    prepared: Prepared
    max_output_tokens: int


class RemoteState(StrEnum):
    """How far the provider is."""

    RUNNING = "running"
    CANCELING = "canceling"
    ENDED = "ended"
    """Results can be had, of the lines that it got to."""
    FAILED = "failed"
    """It was refused as a whole: no line ran."""


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as its provider tells of it, counted in lines. `ours`: the mark given at submission, if it keeps one."""

    id: str
    state: RemoteState
    total: int = 0
    done: int = 0
    failed: int = 0
    created_ms: int = 0
    ours: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The provider did not take it, or could not be asked.

    Attributes:
        certain: whether it is certain that no batch was made (a refusal, no connection); else it may run.
        again_s: after how many seconds to ask again; None: asking again would not help.
    """

    why: str
    certain: bool
    again_s: float | None = None


class BatchServer(Protocol):
    """One provider's batches, with one key.

    MUST NOT raise for what the network or the server does; MUST NOT retry; each call ends within `timeout_s`.
    Whatever costs outside the usage that is reported MUST NOT be asked for.
    """

    async def submit(self, items: Sequence[BatchItem], mark: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Hand a whole batch in. `mark`: our id for it, kept with it where the provider can keep one."""

    async def look(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """How far it is."""

    async def recent(self, since_ms: int, timeout_s: float) -> list[RemoteBatch] | NotTaken:
        """The batches made since then, the latest first: to find one whose submission was cut off."""

    async def cancel(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Ask it to stop; lines that ran already are billed."""

    def results(self, batch_id: str, timeout_s: float) -> AsyncIterator[tuple[str, Outcome] | NotTaken]:
        """Each line's `custom_id` and outcome, in any order; ends after a NotTaken.

        A line that certainly did not run (canceled, expired, errored before it ran) is `NotRun`.
        """

    async def close(self) -> None:
        """Let go of connections."""
