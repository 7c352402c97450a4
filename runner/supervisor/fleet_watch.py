"""A daemon's eye and ear on its fleet.

    news ─▶ `Routes`: who has to look again ─▶ a word to each, nothing is waited for
    every `BURY_S` ─▶ who is gone? what they left is ended ─▶ told, and all look again
    every `REPORT_S` ─▶ how we are, where it has changed

Rules: news is a hint: what is told to a component makes it look, and it would look by itself later; after a gap all
look; a store that fails is told once until it works again. What is set aside here is told to the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from runner.clock import Clock
from runner.dispatch.trouble import Trouble
from runner.errors import StoreError
from runner.ports.fleet import Burial, Fleet, News, NewsKind
from runner.ports.observer import BoundBroken, DaemonGone, DaemonRenamed, Event, Fault, Observer
from runner.supervisor.facts import DaemonFacts, from_json

BURY_S = 0.4
REPORT_S = 1.0
FAULT_WAIT_S = 1.0

Hear = Callable[[str], None]
"""Called with a news' text; with an empty one where anything of that kind may have happened. MUST be cheap."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Who hears what.

    Attributes:
        relearn: learn anew which models are set aside. Raises StoreError.
    """

    hear: Mapping[NewsKind, Sequence[Hear]] = field(default_factory=dict)
    relearn: Callable[[], Awaitable[None]] | None = None


class FleetWatch:
    """Watches. An Observer, too, for what the others have to know."""

    def __init__(self, fleet: Fleet, clock: Clock, observer: Observer) -> None:
        self._fleet = fleet
        self._clock = clock
        self._observer = observer
        self._routes = Routes()
        self._facts: Callable[[], DaemonFacts] = DaemonFacts
        self._said: tuple[int, str] | None = None
        self._models = asyncio.Event()
        self._models_here = asyncio.Event()

    def note(self, event: Event) -> None:
        """Tell the others of a model that nobody may call."""
        if isinstance(event, BoundBroken):
            self._models_here.set()

    def models_changed(self) -> None:
        """A model was set aside here, or is called again."""
        self._models_here.set()

    async def run(self, routes: Routes, facts: Callable[[], DaemonFacts]) -> None:
        """Until cancelled, or until the store is closed."""
        self._routes, self._facts = routes, facts
        async with asyncio.TaskGroup() as group:
            for name, work in (
                ("heard", self._listen()),
                ("dead daemons buried", self._bury_all()),
                ("facts reported", self._report_all()),
                ("models told", self._tell_models()),
                ("models learned", self._learn_models()),
            ):
                group.create_task(work, name=f"fleet: {name}")

    # ── ear ──────────────────────────────────────────────────────────────────────────────────────────────
    async def _listen(self) -> None:
        async for news in self._fleet.listen():
            if news.kind is NewsKind.GAP:
                for kind in self._routes.hear:
                    self._pass_on(kind, "")
                self._models.set()
            else:
                self._pass_on(news.kind, news.text)
            if news.kind is NewsKind.MODELS:
                self._models.set()

    def _pass_on(self, kind: NewsKind, text: str) -> None:
        for hear in self._routes.hear.get(kind, ()):
            try:
                hear(text)
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from hearing
                self._observer.note(Fault("fleet", repr(error), error=error))

    # ── eye ──────────────────────────────────────────────────────────────────────────────────────────────
    async def _bury_all(self) -> None:
        number, trouble = self._fleet.daemon, Trouble("fleet", self._observer)
        while True:
            try:
                burial = await self._fleet.bury()
                if burial.daemons:
                    await self._buried(burial)
            except StoreError as error:
                trouble.begins(error)
            else:
                trouble.ends()
            if self._fleet.daemon != number:
                self._observer.note(DaemonRenamed(number, self._fleet.daemon))
                number = self._fleet.daemon
            await self._clock.sleep(BURY_S)

    async def _buried(self, burial: Burial) -> None:
        """All look again, then it is told; the figures of several that died at once stand with the first."""
        self._pass_on(NewsKind.DAEMONS, "")
        lines = {line.id: line for line in await self._fleet.daemons()}
        first = burial.daemons[0]
        for daemon in burial.daemons:
            holds, sends = (burial.holds_unknown, burial.sends_again) if daemon == first else (0, 0)
            line = lines.get(daemon)
            name, facts = ("", "{}") if line is None else (line.name, line.facts)
            self._observer.note(DaemonGone(daemon, name, holds, sends, from_json(facts).stopping))

    # ── mouth ────────────────────────────────────────────────────────────────────────────────────────────
    async def report(self) -> None:
        """Say how we are, if it has changed; a store that fails is told by whoever looks for the dead."""
        saying = (self._fleet.daemon, self._facts().to_json())
        if saying != self._said:
            with suppress(StoreError):
                await self._fleet.report(saying[1])
                self._said = saying

    async def _report_all(self) -> None:
        while True:
            await self.report()
            await self._clock.sleep(REPORT_S)

    async def _tell_models(self) -> None:
        while True:
            await self._models_here.wait()
            self._models_here.clear()
            await self._fleet.tell([News(NewsKind.MODELS)])
            self._models.set()

    async def _learn_models(self) -> None:
        while True:
            await self._models.wait()
            self._models.clear()
            if self._routes.relearn is None:
                continue
            try:
                await self._routes.relearn()
            except StoreError as error:
                self._observer.note(Fault("quarantine", str(error)))
                self._models.set()
                await self._clock.sleep(FAULT_WAIT_S)
