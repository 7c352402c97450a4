"""Every fleet there is; the suite beside this file holds for each of them."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.fleets.worlds import MemoryWorld, World


@pytest.fixture(params=["memory"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    worlds = {"memory": MemoryWorld}
    world = worlds[request.param]()
    yield world
    await world.close()
