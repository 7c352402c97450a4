"""Every fleet there is; the suite beside this file holds for each of them."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.fleets.postgres_world import PostgresWorld
from tests.contract.fleets.worlds import MemoryWorld, World


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world: World
    if request.param == "memory":
        world = MemoryWorld()
    else:
        world = PostgresWorld(request.getfixturevalue("postgres"))
    yield world
    await world.close()
