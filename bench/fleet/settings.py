"""What a run is made of: what things cost, how much there is of everything, what goes wrong.

Rules: times are seconds; a cost is processor time of the database unless its name says otherwise. `MEASURED` is
what `python -m bench.fleet --calibrate` found on a real PostgreSQL; what no machine here could tell is a default of
`Costs` and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, IntEnum, auto


class Kind(IntEnum):
    """What a daemon asks its store to do, in the order in which a batch does it."""

    ACCEPT = 0
    ENTER = 1
    NEXT = 2
    FINISH = 3
    SENT = 4
    LEAVE = 5
    HOLD = 6
    SETTLE = 7


READS = frozenset({Kind.ENTER, Kind.NEXT, Kind.LEAVE})
"""These write nothing: a batch of them alone waits for no disk."""
MONEY = frozenset({Kind.HOLD, Kind.SETTLE})
"""These take the rows of their scopes, until the commit."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What things take.

    Attributes:
        rows: of each kind, one unit more in a batch; `first`: what the first of its kind takes beside that, for the
            statements that all of them share.
        batch: a transaction with nothing in it.
        fsync: the log reaches the disk; whoever commits meanwhile waits for the next one, all together.
        trip: from a daemon to the database and back. Assumed: two machines of one zone.
        trips_before, trips_locked: statements of a batch before it takes rows, and from then to its commit.
        decide: a daemon's own time for one decision, while its batch holds the rows.
        deliver, turn: a daemon's own processor time to take a message in, and for all the rest of it.
        idle: a daemon for a second in which nothing happens: looks, heartbeats, leases, on a database that is empty.
        look_lock: what a daemon's look for waiting lanes takes more for each lock that the server knows meanwhile.
        bury_daemon: what a look for dead daemons takes more for each daemon that is looked at.
        tell, tell_listener: one NOTIFY, and each daemon that is woken by it.
        backend_mib: memory of one session of the server.
    """

    rows: Mapping[Kind, float]
    first: Mapping[Kind, float]
    batch: float
    fsync: float
    idle: float
    look_lock: float
    bury_daemon: float
    tell: float
    tell_listener: float
    backend_mib: float
    trip: float = 0.0003
    trips_before: int = 3
    trips_locked: int = 5
    decide: float = 0.00002
    deliver: float = 0.0003
    turn: float = 0.0008


MEASURED = Costs(
    rows={
        Kind.ACCEPT: 0.000026,
        Kind.ENTER: 0.000001,
        Kind.NEXT: 0.000008,
        Kind.FINISH: 0.000064,
        Kind.SENT: 0.000007,
        Kind.LEAVE: 0.000001,
        Kind.HOLD: 0.000012,
        Kind.SETTLE: 0.000038,
    },
    first={
        Kind.ACCEPT: 0.00036,
        Kind.ENTER: 0.00004,
        Kind.NEXT: 0.00012,
        Kind.FINISH: 0.0011,
        Kind.SENT: 0.00047,
        Kind.LEAVE: 0.00004,
        Kind.HOLD: 0.00095,
        Kind.SETTLE: 0.0013,
    },
    batch=0.00004,
    fsync=0.0003,
    idle=0.005,
    look_lock=0.00000075,
    bury_daemon=0.0000002,
    tell=0.00045,
    tell_listener=0.000035,
    backend_mib=14.0,
)


@dataclass(frozen=True, slots=True)
class Server:
    """The database's machine and settings.

    Attributes:
        cores: processors of it.
        connections: max_connections.
        locks: max_locks_per_transaction.
    """

    cores: int = 8
    connections: int = 10_000
    locks: int = 256

    @property
    def lock_table(self) -> int:
        """Locks that fit, as the manual reckons it."""
        return self.connections * self.locks


@dataclass(frozen=True, slots=True)
class Habits:
    """What a daemon does by itself, as the product has it. See `Costs` for what each costs.

    Each session of a daemon takes a lock of its own, and so does each lane at work.

    Attributes:
        sessions: writer sessions; `connections`: all that a daemon has.
        batch: units that one transaction takes at most.
        gather: how long a session waits for others before it begins one.
        lanes: that run at once.
        look, bury: seconds between two looks of a daemon, for waiting lanes and for dead `neighbours`.
        scale_looks: above so many daemons each looks the more seldom, so that all together look as often.
        slices: rows that one cap is cut into, each with its share of the limit; a daemon uses one of them.
    """

    sessions: int = 2
    connections: int = 9
    batch: int = 256
    gather: float = 0.0
    lanes: int = 1000
    look: float = 0.4
    bury: float = 0.4
    neighbours: int = 16
    scale_looks: int | None = None
    slices: int = 1

    def looks_per_s(self, daemons: int, every_s: float) -> float:
        """How often all daemons together look."""
        looking = daemons if self.scale_looks is None else min(daemons, self.scale_looks)
        return looking / every_s


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, of a run's whole length.

    Attributes:
        kills, hangs: daemons that are ended, or stopped for a while; they come back.
        doubled: of a hundred deliveries, how many come twice.
        rejected, unknown: of a hundred calls, how many provably did not run, or nobody knows.
    """

    kills: int = 0
    hangs: int = 0
    doubled: int = 10
    rejected: int = 2
    unknown: int = 2


class Flaw(Flag):
    """Rules that can be left out, to see that the checks see it."""

    NONE = 0
    UNLOCKED_SCOPES = auto()
    """Counters are read without taking their rows."""
    FREE_UNKNOWN = auto()
    """A dead daemon's holds are given back."""
    NO_LANE_LOCK = auto()
    """Who finds work in a lane does it, whoever else may be at it."""
    BLIND_HOLD = auto()
    """A hold that comes back after a long stop is believed without asking whether the lane is still ours."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played.

    Attributes:
        messages: how many are written.
        rate: new messages a second, whatever happens; None: `at_once` are always on their way.
        cap: of each bot, in pico-dollars.
        call: the model's shortest and longest time.
        rest: how long nothing more is written before the daemons must have come to rest.
    """

    daemons: int = 4
    bots: int = 1
    conversations: int = 1000
    messages: int = 1000
    rate: float | None = None
    at_once: int = 256
    cap: int = 10**18
    call: tuple[float, float] = (0.0, 0.0)
    send: float = 0.0
    costs: Costs = MEASURED
    server: Server = field(default_factory=Server)
    habits: Habits = field(default_factory=Habits)
    faults: Faults = field(default_factory=Faults)
    flaws: Flaw = Flaw.NONE
