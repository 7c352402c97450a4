"""Other daemons on the same store. One port, one contract suite (tests/contract/fleets), several implementations.

    daemon   a process that opened the store, with a number that never comes again
    alive    its sessions with the store are; a killed one is gone at once, a hung one within `HUNG_S`
    news     a hint to the other daemons that something happened; it may be lost: whoever needs it looks by itself, too
    bury     end what a dead daemon left: its holds become unknown, its sends go again, its leases are void

Rules for every implementation:

* A daemon that lives is never buried for being slow to answer: its session with the store decides, not the clocks.
* What one daemon left is buried once, whoever of the others does it.
* A daemon that was buried while it hung learns so with its next word to the store: it goes on as another one, with
  another number, and what it held is no longer its own.
* Times are the store's clock (`now_ms`): the daemons' clocks need not agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

HUNG_S = 8.0
"""A daemon that says nothing to the store for so long is as good as dead, at the latest."""


SAID_NOTHING = "{}"
"""The facts of a daemon that has not reported any."""


class NewsKind(StrEnum):
    """What news is about, and what its text is."""

    LANE = "lane"
    """A lane's name: there is something to do in it, and somebody else holds it."""
    WORK = "work"
    """Lanes wait that one daemon has no room for. No text."""
    ANSWERED = "answered"
    """An inbox id: its turn is done, and its answer is in the outbox for whoever collects it."""
    SENDS = "sends"
    """Parts of replies are pending. No text."""
    ERRANDS = "errands"
    """Something is owed. No text."""
    BATCHES = "batches"
    """A batch's id: it is new, or somebody asked it to stop."""
    VALUES = "values"
    """A shared value's key: it was put or dropped."""
    MODELS = "models"
    """A model was set aside, or is called again. No text."""
    DAEMONS = "daemons"
    """A daemon came, left or was buried. No text."""
    GAP = "gap"
    """We heard nothing for a while: anything may have happened. Only told to oneself."""


@dataclass(frozen=True, slots=True)
class News:
    """A hint. `daemon`: whose; a daemon does not hear its own, but for `GAP`."""

    kind: NewsKind
    text: str = ""
    daemon: int = 0


@dataclass(frozen=True, slots=True)
class DaemonLine:
    """A daemon as the store knows it. Times in Unix ms, by the store's clock.

    Attributes:
        name: the machine and the process, for people: `host/pid`.
        version: of botrunner; `schema`: the newest that it knows.
        facts: JSON of what it says of itself (`runner.supervisor.facts`); a store does not read it.
        ended_ms: when it left or was buried; None: it is there.
    """

    id: int
    name: str
    version: str
    schema: int
    started_ms: int
    seen_ms: int
    facts: str = SAID_NOTHING
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Burial:
    """What was ended of daemons that are gone, as `runner.ports.stores.Recovery` counts it."""

    daemons: tuple[int, ...] = ()
    holds_unknown: int = 0
    sends_again: int = 0
    sends_unknown: int = 0


class Fleet(Protocol):
    """The daemons of a store. `Store.fleet` is one; None: this store has one daemon only."""

    @property
    def daemon(self) -> int:
        """Our number, from `Store.open` on; another one after we were buried."""

    def now_ms(self) -> int:
        """The store's clock, as near as we know."""

    async def report(self, facts: str) -> None:
        """Say how we are; JSON of some kilobytes at most."""

    async def daemons(self) -> list[DaemonLine]:
        """Those that are there, and those that ended in the last hour; by number."""

    async def bury(self) -> Burial:
        """Look for daemons that are gone and end what they left; changes nothing where none is."""

    async def tell(self, news: Sequence[News]) -> None:
        """Give the others a hint, soon; never raises: a hint may be lost."""

    def listen(self) -> AsyncIterator[News]:
        """Hear the others' hints from now on, until the store is closed. What is not taken in time is a `GAP`."""
