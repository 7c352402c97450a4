"""The stage of one daemon of a fleet: a bots.yaml that nobody writes, a real reloader, caps in the shared store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runner.app.fleet_file import FleetFile
from runner.app.in_force import InForce
from runner.app.reloading import Reading, Reloader, mark_of
from runner.app.shared_caps import SharedCaps
from runner.app.shared_watch import SharedWatch
from runner.config.edit_bots import BotsFile
from runner.config.loader import load
from runner.config.problems import Problems
from runner.config.reload import Difference
from runner.config.secret_store import SecretStore
from runner.config.settings import Loaded, Settings
from runner.store.memory.fleet import MemberFleet, MemoryFleet
from runner.telemetry.systemd import NobodyToNotify
from runner.testing.clock import ManualClock
from tests.unit.web.file_stage import ENVIRON, FILE
from tests.unit.web.web_stage import Stage, bearer


class FleetStage:
    """One daemon."""

    def __init__(self, fleet: MemoryFleet, clock: ManualClock, folder: Path, text: str = FILE) -> None:
        folder.mkdir()
        self.path = folder / "bots.yaml"
        self.path.write_text(text, encoding="utf-8")
        self.secrets = SecretStore(folder / "state", ENVIRON)
        self.store = fleet.join(folder.name)
        assert isinstance(self.store.fleet, MemberFleet)
        loaded = self.load()
        assert isinstance(loaded, Loaded), str(loaded)
        self.in_force = InForce(loaded.settings)
        self.stage = Stage(loaded.settings.bots, store=self.store, clock=clock)
        observer = self.stage.observer
        self.caps = SharedCaps(self.store.values, self.store.fleet, observer)
        reading = Reading(self.path, self.load, self.caps.laid_over)
        self.reloader = Reloader(reading, self.apply, self.in_force, clock, observer, mark_of(self.path))
        file = BotsFile(self.path, ENVIRON, self.secrets, self.never)
        self.stage.definitions = FleetFile(file, self.caps, self.in_force, self.reloader)
        self.watch = SharedWatch(
            self.store.values, self.store.fleet, self.reloader, self.in_force, observer, look_s=3600
        )
        self.applied = asyncio.Event()

    def load(self) -> Loaded | Problems:
        return load(self.path, ENVIRON, self.secrets)

    async def never(self) -> list[str]:
        raise AssertionError("a fleet's file is not written")

    async def apply(self, settings: Settings, found: Difference) -> None:
        self.in_force.settings = settings
        if not found.is_empty:
            self.stage.put_in_force(settings.bots)
            self.applied.set()

    async def ask(self, method: str, path: str, body: Any = None, scope: Any = "admin") -> tuple[int, Any]:
        """One call with a good token: the status and the JSON."""
        status, said, _ = await self.stage.ask(method, path, headers=bearer(scope), json=body)
        return status, said

    @asynccontextmanager
    async def standing(self) -> AsyncIterator["FleetStage"]:
        async with self.stage, asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self.reloader.run(NobodyToNotify()))]
            await self.reloader.renew("the start")
            running.append(tasks.create_task(self.watch.run()))
            yield self
            for task in running:
                task.cancel()
