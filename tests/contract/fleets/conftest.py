"""Every fleet there is; the suite beside this file holds for each of them."""

from collections.abc import AsyncIterator

import pytest

from runner.testing.postgres_server import PostgresServer
from tests.contract.fleets.postgres_world import PostgresWorld
from tests.contract.fleets.worlds import MemoryWorld, World


@pytest.fixture(params=["memory", "postgres"])
def empty_world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return MemoryWorld()
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresWorld(request.getfixturevalue("postgres_url"), server.port)


@pytest.fixture
async def world(empty_world: World) -> AsyncIterator[World]:
    yield empty_world
    await empty_world.close()
