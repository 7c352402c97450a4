"""The secret of tokens where daemons share a store: one for all, the operator's if there is one."""

import asyncio
import stat
from pathlib import Path

import pytest

from runner.bots import Secret
from runner.clock import UnixMs
from runner.errors import OperatorError, StoreError
from runner.store.memory.values import MemoryValues
from runner.testing.clock import START_MS
from runner.web.auth import SECRET_FILE, find_shared_secret, load_secret, load_shared_secret

NOW = UnixMs(START_MS)


async def test_all_daemons_have_the_first_ones_and_keep_a_copy(tmp_path: Path) -> None:
    values = MemoryValues()
    assert await find_shared_secret(values, NOW) is None
    folders = [tmp_path / name for name in ("one", "two", "three")]
    own = load_secret(folders[0], None)
    load_secret(folders[1], None)
    made = [await load_shared_secret(values, folder, None, NOW) for folder in folders]
    assert made == [own] * 3
    assert await find_shared_secret(values, NOW) == own
    for folder in folders:
        assert load_secret(folder, None) == own, "commands beside the daemon need no store"
        assert stat.S_IMODE((folder / SECRET_FILE).stat().st_mode) == 0o600
        assert [path.name for path in folder.iterdir()] == [SECRET_FILE]


async def test_daemons_that_start_at_once_agree(tmp_path: Path) -> None:
    values = MemoryValues()
    made = await asyncio.gather(
        *(load_shared_secret(values, tmp_path / f"{number}", None, NOW) for number in range(5))
    )
    assert len(set(made)) == 1


async def test_a_secret_need_be_no_text(tmp_path: Path) -> None:
    values, odd = MemoryValues(), bytes(range(128, 168))
    (tmp_path / SECRET_FILE).write_bytes(odd)
    assert await load_shared_secret(values, tmp_path, None, NOW) == odd
    assert await load_shared_secret(values, tmp_path / "other", None, NOW) == odd


async def test_the_operators_own_is_not_put_into_the_store(tmp_path: Path) -> None:
    values = MemoryValues()
    assert await load_shared_secret(values, tmp_path, Secret("given"), NOW) == b"given"
    assert await find_shared_secret(values, NOW) is None
    assert not (tmp_path / SECRET_FILE).exists()


async def test_a_store_that_does_not_answer_is_no_reason_to_have_another(tmp_path: Path) -> None:
    def before(_: str) -> None:
        raise StoreError("the store cannot be reached")

    with pytest.raises(StoreError):
        await load_shared_secret(MemoryValues(before), tmp_path, None, NOW)


async def test_a_copy_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="cannot be kept"):
        await load_shared_secret(MemoryValues(), tmp_path / "file", None, NOW)
