"""The batch desk and the schedules that it serves, put together."""

from __future__ import annotations

from collections.abc import Callable

from runner.agent.asks import ScopesOf
from runner.agent.batch_meter.opening import BatchOpener
from runner.agent.batch_meter.settling import BatchSettler
from runner.agent.batch_meter.steps import BatchMeter
from runner.agent.meter import Meter
from runner.app.making import new_id
from runner.app.parts import Daemon
from runner.bots import Bot
from runner.clock import Clock
from runner.dispatch.accounts import line_scopes_for
from runner.dispatch.batches import BatchDesk
from runner.dispatch.schedules import Schedules
from runner.money.prices import PriceBook
from runner.ports.observer import Observer
from runner.ports.roster import Roster
from runner.ports.stores import Store
from runner.providers.catalogue import Catalogue


def desk_of(
    catalogue: Catalogue,
    book: Callable[[], PriceBook],
    store: Store,
    roster: Roster,
    meter: Meter,
    clock: Clock,
    observer: Observer,
) -> BatchDesk:
    """A desk that shares its aftermath with the meter of single calls: what one sets aside the other does not call."""

    def scopes_of(bot: Bot) -> ScopesOf:
        return line_scopes_for(bot, roster)

    opener = BatchOpener(catalogue, book, store.batches, scopes_of, meter.aftermath, clock, observer)
    settler = BatchSettler(store, roster, scopes_of, meter.aftermath, clock)
    steps = BatchMeter(catalogue, store.batches, roster, settler, clock)
    return BatchDesk(opener, steps, store.batches, clock, observer, new_id, store.fleet)


def schedules_of(daemon: Daemon) -> Schedules:
    """The bots' schedules; their files are named from where bots.yaml is."""
    site = daemon.site
    folder = site.config.absolute().parent
    return Schedules(
        daemon.desk,
        daemon.store.batches,
        daemon.roster,
        lambda name: (folder / name).read_bytes(),
        site.clock,
        site.observer,
    )
