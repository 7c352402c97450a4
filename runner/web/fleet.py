"""The fleet as people look at it: its daemons, and each connection as all of them together have it.

    the one that holds a connection, where one only may     its state is the connection's
    all others                                              the best of all daemons' states

Rules: what a daemon says of itself is a second old; of one that is gone nothing counts. Of a connection that nobody
says anything of, this daemon's own word holds. The store's clock is what times are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from adapters.contract import ConnectionState
from runner.ports.fleet import SAID_NOTHING, DaemonLine
from runner.ports.stores import Store
from runner.supervisor import Connection
from runner.supervisor.facts import ConnectionFacts, DaemonFacts, from_json

NOBODY_YET = "no daemon holds it yet"
BEST_FIRST = (
    ConnectionState.UP,
    ConnectionState.DEGRADED,
    ConnectionState.CONNECTING,
    ConnectionState.DOWN,
    ConnectionState.REFUSED,
)
_KNOWN = frozenset(state.value for state in ConnectionState)
"""A newer daemon may know more states."""


@dataclass(frozen=True, slots=True)
class DaemonNow:
    """A daemon. `here`: it is the one that is asked."""

    line: DaemonLine
    facts: DaemonFacts
    here: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether it left, or was found gone."""
        return self.line.ended_ms is not None

    @property
    def connections(self) -> int:
        """How many connections it has; those that another holds are not its own."""
        mine = sum(one.held is not False for one in self.facts.connections)
        return mine + self.facts.more_connections

    @property
    def up(self) -> int:
        """How many of its connections carry messages."""
        return self.facts.more_connections + sum(
            one.state == ConnectionState.UP for one in self.facts.connections
        )

    @property
    def holds(self) -> tuple[str, ...]:
        """What it alone does: `bot/channel` of connections, then its duties."""
        held = (f"{one.bot}/{one.channel}" for one in self.facts.connections if one.held)
        return (*held, *self.facts.duties)


@dataclass(frozen=True, slots=True)
class Joined:
    """A connection as all daemons together have it. `held_by`: the one that holds it; empty: each has its own."""

    state: ConnectionState
    why: str
    since_ms: int
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class FleetNow:
    """All daemons, the living ones first; connections by bot and channel."""

    now_ms: int
    daemons: tuple[DaemonNow, ...]
    connections: Mapping[tuple[str, str], Joined]

    @property
    def alive(self) -> tuple[DaemonNow, ...]:
        """Those that are there."""
        return tuple(one for one in self.daemons if not one.is_gone)

    @property
    def files(self) -> int:
        """How many different bots.yaml the living daemons have in force; more than one: some are to be restarted."""
        return len({one.facts.config for one in self.alive if one.facts.config})


def joined(connections: Iterable[Connection], fleet: FleetNow | None) -> list[tuple[Connection, str]]:
    """This daemon's connections as the fleet has them, each with whom it is held by."""
    if fleet is None:
        return [(one, "") for one in connections]
    found = []
    for one in connections:
        all_over = fleet.connections.get((one.bot, one.channel))
        if all_over is None:
            found.append((one, ""))
        else:
            same = replace(one, state=all_over.state, why=all_over.why, since_ms=all_over.since_ms)
            found.append((same, all_over.held_by))
    return found


async def look(store: Store) -> FleetNow | None:
    """The fleet of this store, None where it has one daemon. Raises StoreError."""
    fleet = store.fleet
    if fleet is None:
        return None
    return fleet_now(await fleet.daemons(), fleet.daemon, fleet.now_ms())


def fleet_now(lines: Iterable[DaemonLine], here: int, now_ms: int) -> FleetNow:
    """What the daemons' lines say. Pure. Who ended and had never said anything was a command."""
    daemons = sorted(
        (
            DaemonNow(line, from_json(line.facts), line.id == here)
            for line in lines
            if line.ended_ms is None or line.facts != SAID_NOTHING
        ),
        key=lambda one: (one.is_gone, one.line.id),
    )
    said: dict[tuple[str, str], list[tuple[DaemonNow, ConnectionFacts]]] = {}
    for daemon in daemons:
        for one in () if daemon.is_gone else daemon.facts.connections:
            if one.state in _KNOWN:
                said.setdefault((one.bot, one.channel), []).append((daemon, one))
    return FleetNow(now_ms, tuple(daemons), {place: _joined(words) for place, words in said.items()})


def _joined(words: list[tuple[DaemonNow, ConnectionFacts]]) -> Joined:
    holder = next(((daemon, one) for daemon, one in words if one.held), None)
    if holder is not None:
        daemon, one = holder
        return Joined(ConnectionState(one.state), one.why, one.since_ms, daemon.line.name)
    best = min((one for _, one in words), key=lambda one: BEST_FIRST.index(ConnectionState(one.state)))
    if any(one.held is False for _, one in words):
        return Joined(ConnectionState.CONNECTING, NOBODY_YET, best.since_ms)
    return Joined(ConnectionState(best.state), best.why, best.since_ms)
