"""A small round of `bench load --daemons`: two real daemons on a real PostgreSQL, looked over as each round is."""

from pathlib import Path

import pytest

from bench.load.fleet import OURS, Round, play
from runner.testing.postgres_server import PostgresServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_two_daemons_do_all_of_it_once_and_in_order(postgres: PostgresServer, tmp_path: Path) -> None:
    figures = await play(Round(OURS, 2, 3, 192, conversations=30, hands=2), postgres, tmp_path)
    assert figures["rate"] > 0
    assert figures["daemons_ms"] > 0
