"""`store copy`, killed half-way: nothing of it is there, nothing of the source is gone, and the next try succeeds."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from runner.clock import SystemClock
from runner.store.moving.tables import TABLES
from runner.store.moving.ways import copy_store
from tests.unit.store.moving_rows import worked_on

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


async def killed_half_way(source: str, target: str, folder: Path) -> None:
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.copy_victim", source, target, str(folder)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert victim.stdout is not None
    try:
        assert await asyncio.wait_for(victim.stdout.readline(), PATIENCE_S) == b"half\n"
    finally:
        victim.kill()
        await victim.wait()


async def rows_of(url: str) -> dict[str, int]:
    """How many rows each table has, once no copy is under way any more: its locks are gone."""
    connection = await asyncpg.connect(url)
    try:
        return {
            table.name: await connection.fetchval(f"SELECT count(*) FROM {table.name}") for table in TABLES
        }
    finally:
        await connection.close()


def files_like(path: Path) -> list[str]:
    """What was left beside a file, under whatever name."""
    return sorted(file.name for file in path.parent.glob(f"*{path.name}*"))


@pytest.mark.timeout(180)
async def test_a_killed_copy_leaves_nothing(tmp_path: Path, postgres_url: str) -> None:
    path, back = tmp_path / "store.db", tmp_path / "back.db"
    await worked_on(path)
    before = path.read_bytes()
    await killed_half_way(str(path), postgres_url, tmp_path)
    assert set((await rows_of(postgres_url)).values()) == {0}
    assert path.read_bytes() == before
    moved = await copy_store(str(path), postgres_url, tmp_path, SystemClock(), lambda _done, _whole: None)
    assert await rows_of(postgres_url) == dict(moved.rows)
    assert moved.rows["ledger"] == 8

    await killed_half_way(postgres_url, str(back), tmp_path)
    assert not back.exists()
    assert await rows_of(postgres_url) == dict(moved.rows)
    again = await copy_store(postgres_url, str(back), tmp_path, SystemClock(), lambda _done, _whole: None)
    assert again.rows == moved.rows
    assert files_like(back) == ["back.db", "back.db.lock"]
