"""What a daemon of a fleet says of itself, for whoever shows the fleet. Pure.

Rules: it is small, whatever the daemon holds: of many connections those that are not up come first, the rest is
counted; it is read by other versions, so that what is missing has a default and what is strange is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from adapters.contract import ConnectionState

MOST_CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """How one channel of one bot is connected here.

    Attributes:
        state: a `ConnectionState`; `since_ms`: Unix ms of its last change.
        held: whether this daemon is the one that holds it; None: each daemon has one of its own.
    """

    bot: str
    channel: str
    platform: str
    state: str
    why: str = ""
    since_ms: int = 0
    held: bool | None = None


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """How a daemon is.

    Attributes:
        more_connections: how many there are beyond `connections`; all of them are up.
        duties: the scheduled work that it does for the fleet, such as `work batches`.
        lanes: conversations that it works on now; `waiting`: messages of its bots that are not done, as it knows.
        lag_ms: how late its event loop is.
        url: where it serves HTTP; empty: nowhere.
        config: a digest of its bots.yaml: the same on daemons that have the same bots.
        stopping: whether it takes nothing more in and ends what it has begun.
    """

    connections: tuple[ConnectionFacts, ...] = ()
    more_connections: int = 0
    duties: tuple[str, ...] = ()
    lanes: int = 0
    waiting: int = 0
    lag_ms: int = 0
    url: str = ""
    config: str = ""
    stopping: bool = False

    def to_json(self) -> str:
        """As `runner.ports.fleet.DaemonLine.facts` has it."""
        return json.dumps(asdict(self.cut()), ensure_ascii=False, separators=(",", ":"))

    def cut(self) -> DaemonFacts:
        """The same with at most `MOST_CONNECTIONS`."""
        surplus = len(self.connections) - MOST_CONNECTIONS
        if surplus <= 0:
            return self
        by_need = sorted(self.connections, key=lambda one: one.state == ConnectionState.UP)
        shown = tuple(by_need[:MOST_CONNECTIONS])
        return replace(self, connections=shown, more_connections=self.more_connections + surplus)


def from_json(text: str) -> DaemonFacts:
    """What a daemon has said; of what cannot be read the defaults."""
    try:
        raw = json.loads(text)
    except ValueError:
        return DaemonFacts()
    if not isinstance(raw, dict):
        return DaemonFacts()
    listed = raw.get("connections")
    connections = tuple(
        one for each in (listed if isinstance(listed, list) else ()) if (one := _connection(each)) is not None
    )
    duties = raw.get("duties")
    plain = {name: value for name, value in _known(DaemonFacts, raw).items() if name not in _LISTS}
    return DaemonFacts(
        connections=connections,
        duties=tuple(str(each) for each in duties) if isinstance(duties, list) else (),
        **plain,
    )


_LISTS = frozenset({"connections", "duties"})
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "bool | None": (bool, type(None)),
}


def _known(kind: type[DaemonFacts | ConnectionFacts], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields that are there and of their type."""
    return {
        field.name: raw[field.name]
        for field in fields(kind)
        if field.name in raw and isinstance(raw[field.name], _KINDS.get(str(field.type), object))
    }


def _connection(raw: object) -> ConnectionFacts | None:
    if not isinstance(raw, dict):
        return None
    try:
        return ConnectionFacts(**_known(ConnectionFacts, raw))
    except TypeError:  # one of those that it cannot be without is missing
        return None
