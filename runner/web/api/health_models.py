"""What the daemon's health looks like to callers."""

from __future__ import annotations

from typing import Literal

from adapters.contract import ConnectionState
from runner.web.calls import Shown


class LoopShown(Shown):
    """The event loop. `lag_ms`: its worst delay of the last ten seconds; `ok`: not more than `limit_ms`."""

    ok: bool
    lag_ms: float
    limit_ms: float


class StoreShown(Shown):
    """The store: it was written to, durably, a second ago at the latest."""

    ok: bool
    took_ms: float
    why: str


class LinkShown(Shown):
    """One connection. `age_s`: for how long it has been in this state."""

    bot: str
    channel: str
    platform: str
    state: ConnectionState
    why: str
    age_s: float


class LinksShown(Shown):
    """All connections. `working`: how many carry messages; `troubled`: bots with one that does not do so well.

    `ok`: one works at least, or there are none that are not another daemon's to hold.
    """

    ok: bool
    working: int
    troubled: list[str]
    all: list[LinkShown]


class ConfigShown(Shown):
    """bots.yaml. `fault`: what is wrong with it as it is now; the last good one goes on."""

    ok: bool
    loaded_at: str
    fault: list[str]
    needs_restart: list[str]


class HealthShown(Shown):
    """`ready`; `degraded`: it works, but not all of it; `failing`: it cannot do its work."""

    status: Literal["ready", "degraded", "failing"]
    loop: LoopShown
    store: StoreShown
    connections: LinksShown
    config: ConfigShown
