"""Commands are answered here and never sent to a model."""

from dataclasses import replace

import pytest

from runner.bots import Bot, Texts
from runner.dispatch import texts
from runner.dispatch.commands import CommandAnswer, Commands
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Terms, scopes_of
from runner.ports.books import HoldRequest, Settlement
from runner.store.memory import MemoryStore
from runner.testing.scenes import a_bot, a_message, usd

BOT = a_bot(texts=Texts(welcome="Hi."), description="Sells tea.")


def asked_by(user: str, at_ms: int = 0, attempt: str = "") -> Attempt:
    return Attempt(attempt, at_ms, "bot", "fake", "chat", "c", user, attempt, "fake", "m", "v")


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.open()
    return made


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("start", CommandAnswer("Hi.")),
        ("help", CommandAnswer(texts.help_text(BOT))),
        ("reset", CommandAnswer(texts.NEW_CONVERSATION, new_conversation=True)),
        ("new", CommandAnswer(texts.NEW_CONVERSATION, new_conversation=True)),
        ("usage", None),  # not exposed: a plain message
        ("dance", None),
        ("", None),
        (None, None),
    ],
)
async def test_answers(store: MemoryStore, command: str | None, answer: CommandAnswer | None) -> None:
    assert await Commands(store).answer(BOT, a_message(command=command), asked_by("ada")) == answer


async def test_usage_is_the_user_s_own_with_this_bot(store: MemoryStore) -> None:
    for number, (bot, user, state) in enumerate(
        [
            ("bot", "ada", ReservationState.SETTLED),
            ("bot", "ada", ReservationState.UNKNOWN),
            ("bot", "bob", ReservationState.SETTLED),
            ("other", "ada", ReservationState.SETTLED),
        ],
    ):
        attempt = Attempt(f"a{number}", 0, bot, "p", "chat", "c", user, f"t{number}", "fake", "m", "v")
        await store.hold(
            HoldRequest(attempt, (ScopeLimit(bot, None),), Estimate(1, 1, 1, Money(2 * 10**12), 0))
        )
        await store.settle(Settlement(attempt.id, state, Money(10**12)))
    bot_now = a_bot(expose_usage=True)
    assert await usage(store, bot_now) == "You have spent 2.00 USD in 2 model calls with this bot."
    assert await usage(store, bot_now, "eve") == "You have spent 0.00 USD in 0 model calls with this bot."


# ---------------------------------------------------------------------------- where there is an allowance

CAPPED = a_bot(
    expose_usage=True,
    caps=(
        Cap(Per.BOT, Period.DAY, usd("9")),
        Cap(Per.USER, Period.LIFETIME, usd("10")),
        Cap(Per.USER, Period.DAY, usd("2.50"), {"boss": None, "42": usd("4")}),
        Cap(Per.USER, Period.MONTH, None, {"boss": None, "42": usd("7")}),
    ),
)
EVENING = 1_795_391_999_000  # 2026-11-22 23:59:59 UTC
MORNING = EVENING + 1_000
DECEMBER = EVENING + 9 * 86_400_000


async def spend(store: MemoryStore, amount: str, asked: Attempt, *, ends: bool = True) -> None:
    """A call of the capped bot, held as a real one is."""
    limits = scopes_of(Terms(caps=CAPPED.caps), asked, own_key=True)
    await store.hold(HoldRequest(asked, limits, Estimate(1, 1, 1, usd(amount), 0)))
    if ends:
        await store.settle(Settlement(asked.id, ReservationState.SETTLED, usd(amount)))


async def usage(store: MemoryStore, bot: Bot, user: str = "ada", at_ms: int = EVENING) -> str:
    answer = await Commands(store).answer(bot, a_message(user=user, command="usage"), asked_by(user, at_ms))
    assert answer is not None
    assert not answer.new_conversation
    return answer.text


def said(*lines: str) -> str:
    return "\n".join(["You have spent with this bot:", *lines, "Days and months are UTC."])


async def test_what_is_left_of_an_allowance(store: MemoryStore) -> None:
    assert await usage(store, CAPPED) == said(
        "today: 0.00 of 2.50 USD, 2.50 USD left", "in all: 0.00 of 10.00 USD, 10.00 USD left"
    )
    await spend(store, "0.40", asked_by("ada", EVENING, "a1"))
    await spend(store, "0.10", asked_by("ada", EVENING, "a2"), ends=False)
    await spend(store, "1", asked_by("eve", EVENING, "a3"))
    assert await usage(store, CAPPED) == said(
        "today: 0.40 of 2.50 USD, 2.00 USD left", "in all: 0.40 of 10.00 USD, 9.50 USD left"
    )
    assert await usage(store, CAPPED, at_ms=MORNING) == said(
        "today: 0.00 of 2.50 USD, 2.50 USD left", "in all: 0.40 of 10.00 USD, 9.50 USD left"
    )


async def test_an_exception_has_limits_of_its_own(store: MemoryStore) -> None:
    await spend(store, "3", asked_by("42", EVENING, "a1"))
    assert await usage(store, CAPPED, "42", MORNING) == said(
        "today: 0.00 of 4.00 USD, 4.00 USD left",
        "this month: 3.00 of 7.00 USD, 4.00 USD left",
        "in all: 3.00 of 10.00 USD, 7.00 USD left",
    )
    assert (await usage(store, CAPPED, "42", DECEMBER)).splitlines()[2] == (
        "this month: 0.00 of 7.00 USD, 7.00 USD left"
    )


async def test_whose_limits_are_all_gone_sees_what_is_spent(store: MemoryStore) -> None:
    caps = tuple(replace(cap, exceptions={"boss": None}) for cap in CAPPED.caps)
    await spend(store, "3", asked_by("boss", EVENING, "a1"))
    free = replace(CAPPED, caps=caps)
    assert await usage(store, free, "boss") == "You have spent 3.00 USD in 1 model calls with this bot."


async def test_a_lowered_limit_leaves_nothing_and_never_less(store: MemoryStore) -> None:
    await spend(store, "2", asked_by("ada", EVENING, "a1"))
    lower = replace(CAPPED, caps=(Cap(Per.USER, Period.DAY, usd("1")),))
    assert await usage(store, lower) == said("today: 2.00 of 1.00 USD, 0.00 USD left")


async def test_the_same_id_on_another_platform_is_another_user(store: MemoryStore) -> None:
    await spend(store, "1", replace(asked_by("ada", EVENING, "a1"), platform="telegram"))
    assert (await usage(store, CAPPED)).splitlines()[1] == "today: 0.00 of 2.50 USD, 2.50 USD left"
