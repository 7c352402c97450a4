"""A daemon whose database is away says that it cannot do its work, goes on living, and comes back with it."""

from pathlib import Path
from typing import cast

import pytest

from runner.clock import SystemClock
from runner.store.catalogue import open_store
from runner.store.memory import MemoryStore
from runner.telemetry.health import EVERY_S
from runner.testing.postgres_server import PostgresServer
from tests.unit.web.web_stage import Stage

LOOKS = 600
"""Each of them waits for the database for a while by itself."""


async def ready(stage: Stage) -> tuple[int, dict[str, object]]:
    """What is answered now, and not what was found a moment ago."""
    stage.clock.advance(EVERY_S)
    status, answer, _ = await stage.ask("GET", "/health/ready")
    return status, answer["store"]


@pytest.mark.timeout(240)
async def test_ready_follows_the_database_and_live_does_not(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "server")
    server.start()
    try:
        url = server.url(server.fresh())
        store = cast("MemoryStore", open_store(url, tmp_path, SystemClock()))  # a store like any other
        async with Stage((), store=store) as stage:
            status, found = await ready(stage)
            assert (status, found["ok"]) == (200, True)
            server.stop("immediate")
            status, found = await ready(stage)
            assert (status, found["ok"]) == (503, False)
            assert found["why"]
            assert (await stage.ask("GET", "/health/live"))[0] == 200
            assert (await stage.ask("GET", "/metrics"))[0] == 200
            server.start()
            for _ in range(LOOKS):
                status, found = await ready(stage)
                if status == 200:
                    break
                await SystemClock().sleep(0.05)
            assert (status, found["ok"]) == (200, True)
    finally:
        server.stop("immediate")
