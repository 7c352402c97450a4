"""Kept answers: found by their key until their time is over, no more of them than a bot may have."""

from dataclasses import replace

import pytest

from runner.money.amounts import Money
from runner.ports.answers import KeptAnswer
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON, answer, inbound

HOUR = 3_600_000


def kept(key: str = "k1", **others: object) -> KeptAnswer:
    plain = KeptAnswer(key, "bot-1", "We open at nine. 🕘", Money(1_234_567), NOON, NOON + HOUR)
    return replace(plain, **others)  # type: ignore[arg-type]


async def test_an_answer_is_found_by_its_key_as_it_was_given(store: Store, again: Again) -> None:
    await store.keep_answer(kept())
    assert await store.kept_answer("k1", NOON) == kept()
    assert await store.kept_answer("k2", NOON) is None
    await store.close()
    later = again()
    await later.open()
    try:
        assert await later.kept_answer("k1", NOON) == kept()
    finally:
        await later.close()


async def test_it_is_not_found_once_its_time_is_over(store: Store) -> None:
    await store.keep_answer(kept())
    assert await store.kept_answer("k1", NOON + HOUR - 1) is not None
    assert await store.kept_answer("k1", NOON + HOUR) is None


async def test_a_later_answer_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await store.keep_answer(kept())
    later = kept(text="At ten.", cost=Money(2), made_ms=NOON + 5, until_ms=NOON + 5 + HOUR)
    await store.keep_answer(later)
    assert await store.kept_answer("k1", NOON + 5) == later
    assert await store.forget_answers("bot-1") == 1


async def test_a_bot_keeps_its_latest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("memory", "sqlite", "postgres"):
        monkeypatch.setattr(f"runner.store.{kind}.answers.MOST_ANSWERS", 3)
    await store.keep_answer(kept("of another", bot="bot-2", made_ms=NOON - 9))
    for number in (4, 1, 3, 2, 5):
        await store.keep_answer(kept(f"k{number}", made_ms=NOON + number))
    found = [number for number in range(1, 6) if await store.kept_answer(f"k{number}", NOON)]
    assert found == [3, 4, 5]
    assert await store.kept_answer("of another", NOON) is not None


async def test_a_bots_answers_are_forgotten(store: Store) -> None:
    await store.keep_answer(kept("k1"))
    await store.keep_answer(kept("k2"))
    await store.keep_answer(kept("k3", bot="bot-2"))
    assert await store.forget_answers("bot-1") == 2
    assert await store.forget_answers("bot-1") == 0
    assert await store.kept_answer("k1", NOON) is None
    assert await store.kept_answer("k3", NOON) is not None


async def test_those_whose_time_is_over_go_with_the_upkeep(store: Store) -> None:
    for number in range(3):
        await store.keep_answer(kept(f"k{number}", until_ms=NOON + number))
    assert await store.prune(0, 0) == 0
    assert await store.prune(0, 0, NOON + 1) == 2
    assert await store.forget_answers("bot-1") == 1


@pytest.mark.parametrize(("bot", "left"), [("bot-1", ["k2"]), (None, [])])
async def test_who_is_forgotten_leaves_no_kept_answer(store: Store, bot: str | None, left: list[str]) -> None:
    """They hold nothing about a user by rule; that nothing of one is left needs no rule to be believed."""
    await store.keep_answer(kept("k1"))
    await store.keep_answer(kept("k2", bot="bot-2"))
    await answer(store, inbound("e1"), "q", "a")
    assert await store.forget_user(bot, "anna") == 5
    assert [key for key in ("k1", "k2") if await store.kept_answer(key, NOON)] == left
