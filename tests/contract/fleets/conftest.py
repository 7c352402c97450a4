"""Every fleet there is; the suite beside this file holds for each of them."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.fleets.postgres_world import PostgresWorld
from tests.contract.fleets.worlds import MemoryWorld, World


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world: World
    world = MemoryWorld() if request.param == "memory" else PostgresWorld(request.getfixturevalue("postgres"))
    yield world
    await world.close()
