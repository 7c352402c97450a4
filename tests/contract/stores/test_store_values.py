"""Shared values: one a key, there until its end, written once where that is asked for."""

import asyncio

import pytest

from runner.ports.sharing import LONGEST_KEY, LONGEST_VALUE
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON


async def test_a_value_is_what_was_put_last(store: Store) -> None:
    values = store.values
    assert await values.value("cap/shop", NOON) is None
    await values.put("cap/shop", "500", NOON)
    await values.put("cap/shop", '{"grüße": "🫖"}', NOON)
    await values.put("cap/other", "1", NOON)
    assert await values.value("cap/shop", NOON) == '{"grüße": "🫖"}'
    assert await values.value("cap/sho", NOON) is None


async def test_it_is_there_after_a_restart(store: Store, again: Again) -> None:
    await store.values.put("cap/shop", "500", NOON)
    await store.close()
    later = again()
    await later.open()
    try:
        assert await later.values.value("cap/shop", NOON) == "500"
    finally:
        await later.close()


async def test_it_is_not_there_once_its_end_is_over(store: Store) -> None:
    values = store.values
    await values.put("a/1", "x", NOON, NOON + 10)
    assert await values.value("a/1", NOON + 9) == "x"
    assert await values.values("a/", NOON + 9) == {"a/1": "x"}
    assert await values.value("a/1", NOON + 10) is None
    assert await values.values("a/", NOON + 10) == {}
    await values.put("a/1", "for ever", NOON)
    assert await values.value("a/1", NOON + 10**9) == "for ever"


async def test_all_whose_key_begins_so_are_found_by_key(store: Store) -> None:
    values = store.values
    for key in ("cap/b", "cap/a", "cap/é", "cap", "caps/c", "CAP/d", "cap%/e", "cap_/f", "cap\\/g"):
        await values.put(key, f"of {key}", NOON)
    found = await values.values("cap/", NOON)
    assert list(found) == ["cap/a", "cap/b", "cap/é"]
    assert found["cap/é"] == "of cap/é"
    assert list(await values.values("cap%", NOON)) == ["cap%/e"]
    assert list(await values.values("cap_", NOON)) == ["cap_/f"]
    assert list(await values.values("cap\\", NOON)) == ["cap\\/g"]
    assert len(await values.values("", NOON)) == 9


async def test_a_new_value_is_put_once_whoever_comes_first(store: Store) -> None:
    values = store.values
    told = await asyncio.gather(*(values.put_new("link/1", f"by {n}", NOON, NOON + 5) for n in range(9)))
    assert len(set(told)) == 1
    assert await values.value("link/1", NOON) == told[0]
    assert await values.put_new("link/1", "late", NOON + 4, NOON + 50) == told[0]
    assert await values.put_new("link/1", "late", NOON + 5, NOON + 50) == "late", (
        "the first one's end is over"
    )
    assert await values.value("link/1", NOON + 49) == "late"


async def test_what_is_dropped_is_gone(store: Store) -> None:
    values = store.values
    await values.put("a", "1", NOON)
    assert await values.drop("a") is True
    assert await values.drop("a") is False
    assert await values.value("a", NOON) is None
    assert await values.put_new("a", "2", NOON) == "2"


async def test_ended_ones_are_forgotten_and_no_others(store: Store) -> None:
    values = store.values
    for number in range(1203):
        await values.put(f"ended/{number}", "x", NOON, NOON + number % 3)
    await values.put("stays", "x", NOON, NOON + 3)
    await values.put("for ever", "x", NOON)
    assert await values.drop_ended(NOON + 2) == 1203
    assert await values.drop_ended(NOON + 2) == 0
    assert list(await values.values("", NOON)) == ["for ever", "stays"]


async def test_what_is_too_long_is_not_put(store: Store) -> None:
    values = store.values
    await values.put("k" * LONGEST_KEY, "v" * LONGEST_VALUE, NOON)
    assert await values.value("k" * LONGEST_KEY, NOON) == "v" * LONGEST_VALUE
    for put in (values.put, values.put_new):
        with pytest.raises(ValueError, match="at most"):
            await put("k" * (LONGEST_KEY + 1), "v", NOON)
        with pytest.raises(ValueError, match="at most"):
            await put("k", "v" * (LONGEST_VALUE + 1), NOON)
    assert await values.value("k", NOON) is None
