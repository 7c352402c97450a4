"""Commands are answered here and never sent to a model."""

import pytest

from runner.bots import Texts
from runner.dispatch import texts
from runner.dispatch.commands import CommandAnswer, Commands
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.ports.books import HoldRequest, Settlement
from runner.store.memory import MemoryStore
from runner.testing.scenes import a_bot, a_message

BOT = a_bot(texts=Texts(welcome="Hi."), description="Sells tea.")


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
    assert await Commands(store).answer(BOT, a_message(command=command)) == answer


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
    commands, bot_now = Commands(store), a_bot(expose_usage=True)
    mine = await commands.answer(bot_now, a_message(command="usage"))
    assert mine == CommandAnswer("You have spent 2.00 USD in 2 model calls with this bot.")
    nobody = await commands.answer(bot_now, a_message(user="eve", command="usage"))
    assert nobody == CommandAnswer("You have spent 0.00 USD in 0 model calls with this bot.")
