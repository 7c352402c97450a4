"""The whole walk of a message on fakes: what `runner.app` joins, without platform, disk or network.

    async with pipeline(a_bot()) as walk:
        await walk.adapter.say("hello")
        [reply] = await walk.adapter.replies(1)

Rules: time stands still but for pauses of politeness; the store is the shipped fake, so `crash` and a second
pipeline on the same store are a restart. Two pipelines with a `MemoryMember` each are two daemons of one fleet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from adapters.contract import ConnectionState
from adapters.testing.fake import FakeAdapter
from runner.agent.kept import KeptAnswers
from runner.agent.loop import AgentLoop
from runner.agent.meter import Meter
from runner.app.fleet import routes_of
from runner.app.flowing import LazyFlows
from runner.bots import Bot, Secret
from runner.dispatch.answering import Answerers, Answering
from runner.dispatch.collecting import Collecting
from runner.dispatch.commands import Commands
from runner.dispatch.errands import ErrandBell, ErrandWatch
from runner.dispatch.handoffs import HandoffDesk
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.dispatch.summaries import Summaries
from runner.dispatch.turn import TurnHandler
from runner.money.prices import PriceBook
from runner.ports.fleet import Fleet
from runner.ports.knowledge import Collection
from runner.ports.observer import Observer
from runner.ports.provider import Provider
from runner.ports.tools import Toolbox
from runner.store.knowledge.library import Library
from runner.store.memory import MemoryStore
from runner.supervisor.facts import DaemonFacts
from runner.supervisor.fleet_watch import FleetWatch, Routes
from runner.telemetry.everyone import Everyone
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_book

INSTANT_S = 0.05


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All parts of a walk, for a test to reach into."""

    bot: Bot
    adapter: FakeAdapter
    provider: FakeProvider
    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    roster: FakeRoster
    inbox: Inbox
    lanes: Lanes
    outbox: Outbox
    meter: Meter
    summaries: Summaries
    errands: ErrandWatch
    handoffs: HandoffDesk


class _Part:
    """What a pipeline does as a daemon of a fleet."""

    def __init__(self, fleet: Fleet, roster: FakeRoster, clock: ManualClock, observer: Observer) -> None:
        self.watch = FleetWatch(fleet, clock, observer)
        self.collecting = Collecting(fleet, roster, clock, observer)

    async def run(self, lanes: Lanes, outbox: Outbox, errands: ErrandWatch, meter: Meter) -> None:
        """Until cancelled."""
        routes = Routes(routes_of(lanes, outbox, errands, self.collecting), meter.open)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run(routes, DaemonFacts), name="fleet")
            group.create_task(self.collecting.run(outbox.hand_out), name="collected answers")


class OneProvider:
    """The same provider under every name."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def get(self, name: str, key: Secret | None = None) -> Provider:
        """It."""
        return self._provider

    def transcriber(self, name: str, key: Secret | None = None) -> Provider:
        """It."""
        return self._provider


@asynccontextmanager
async def pipeline(  # noqa: PLR0913 - by name, each with a default
    bot: Bot,
    toolbox: Toolbox | None = None,
    *,
    adapter: FakeAdapter | None = None,
    provider: FakeProvider | None = None,
    store: MemoryStore | None = None,
    clock: ManualClock | None = None,
    book: PriceBook | None = None,
    collections: Mapping[str, Collection] | None = None,
) -> AsyncIterator[Pipeline]:
    """Put a walk together and run it; leaving cancels whatever still runs, as a `kill` would."""
    clock = clock or ManualClock(instant_s=INSTANT_S)
    recording, bell, roster = RecordingObserver(), ErrandBell(), FakeRoster()
    adapter, provider, store = (
        adapter or FakeAdapter(),
        provider or FakeProvider(clock),
        store or MemoryStore(),
    )
    part = None if store.fleet is None else _Part(store.fleet, roster, clock, recording)
    observer = Everyone((recording, bell) if part is None else (recording, bell, part.watch, part.collecting))
    roster.add(bot, adapter, toolbox)
    library = Library(lambda: collections or {}, clock, observer)
    await store.open()
    await store.recover()
    try:
        async with asyncio.TaskGroup() as tasks:
            prices = book or a_book()
            meter = Meter(OneProvider(provider), lambda: prices, store, clock, observer, tasks)
            outbox = Outbox(store, roster, clock, observer, tasks)
            agent = AgentLoop(meter, lambda: prices, clock)
            kept = KeptAnswers(store, clock, observer)
            summaries = Summaries(meter, store, roster, clock, observer, tasks)
            flows = LazyFlows(
                agent,
                meter,
                lambda: prices,
                store.runs,
                library,
                outbox,
                clock,
                observer,
            )
            answering = Answering(roster, Answerers(agent, kept, flows), summaries, clock, observer, tasks)
            turn = TurnHandler(roster, answering, Commands(store), outbox, clock, observer, tasks)
            lanes = Lanes(store, roster, turn.handle, clock, observer, tasks)
            inbox = Inbox(store, roster, lanes, clock, observer, outbox.hand_out_again)
            errands = ErrandWatch(store.runs, lanes, clock, observer, bell)
            deliver = partial(inbox.deliver, bot.id, bot.channels[0].name)
            if part is not None:
                tasks.create_task(part.run(lanes, outbox, errands, meter), name="part in the fleet")
            tasks.create_task(outbox.watch(), name="outbox watch")
            tasks.create_task(lanes.watch(), name="lanes watch")
            tasks.create_task(errands.run(), name="errands")
            tasks.create_task(adapter.run(deliver, _quiet), name="adapter")
            yield Pipeline(
                *(bot, adapter, provider, store, clock, recording, roster, inbox, lanes, outbox, meter),
                *(summaries, errands, HandoffDesk(store.runs, clock, observer)),
            )
            _end()
    except* _Over:
        pass
    finally:
        await library.close()


class _Over(Exception):
    """Ends a task group and all that is in it."""


def _end() -> NoReturn:
    raise _Over


def _quiet(state: ConnectionState, why: str = "") -> None:
    """Nobody looks at this connection's state."""
