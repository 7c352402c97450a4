"""What a bot says without asking a model."""

import pytest

from runner.agent.loop import LoopResult
from runner.bots import Texts
from runner.dispatch.texts import CUT, closing_text, help_text, welcome
from runner.ports.dialogue import StopReason
from runner.testing.scenes import a_bot

ENDS = [stop for stop in StopReason if stop not in (StopReason.COMMAND, StopReason.NOTICE)]


@pytest.mark.parametrize("stop", ENDS)
def test_every_end_has_a_text(stop: StopReason) -> None:
    assert closing_text(a_bot(), LoopResult(stop)).strip()


@pytest.mark.parametrize("stop", ENDS)
def test_the_operator_s_fallback_stands_for_all_of_them(stop: StopReason) -> None:
    bot = a_bot(texts=Texts(fallback="Call us."))
    assert closing_text(bot, LoopResult(stop, detail="message:t1")) == "Call us."


def test_no_two_reasons_read_the_same() -> None:
    texts = [closing_text(a_bot(), LoopResult(stop)) for stop in ENDS]
    assert len(set(texts)) == len(texts)


def test_the_spending_limit_has_a_text_of_its_own() -> None:
    bot = a_bot(texts=Texts(fallback="Call us.", cap_reached="Come back in May."))
    assert closing_text(bot, LoopResult(StopReason.BUDGET, detail="bot:bot")) == "Come back in May."
    assert closing_text(bot, LoopResult(StopReason.BUDGET, detail="message:t1")) == "Call us."
    assert closing_text(a_bot(), LoopResult(StopReason.BUDGET, detail="bot:bot")) == (
        "Bot has reached its spending limit."
    )


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("bot:bot", "Bot has reached its spending limit."),
        ("bot:bot@2026-11-22", "Bot has reached its spending limit."),
        ("team:bot@2026-11", "Bot has reached its spending limit."),
        ("wallet", "The bot's wallet is empty."),
        ("plan:starter@2026-11", "The bot's quota for this month is used up."),
        ("plan-tokens:starter@2026-11", "The bot's quota for this month is used up."),
        ("user:bot/telegram/42@2026-11-22", "You have reached your spending limit with this bot."),
        ("conversation:c17", "This conversation has reached its spending limit."),
        ("message:t1", "This message has reached its cost limit."),
    ],
)
def test_each_kind_of_limit_has_a_text(scope: str, text: str) -> None:
    assert closing_text(a_bot(), LoopResult(StopReason.BUDGET, detail=scope)) == text


@pytest.mark.parametrize(
    ("scope", "text"),
    [("bot:b", "1"), ("team:b", "1"), ("wallet", "2"), ("plan:p", "3"), ("plan-tokens:p", "3"), ("user:u", "4"),
     ("conversation:c", "5"), ("message:t", "0")],
)  # fmt: skip
def test_an_operator_may_say_it_otherwise(scope: str, text: str) -> None:
    bot = a_bot(
        texts=Texts(
            fallback="0",
            cap_reached="1",
            wallet_empty="2",
            quota_spent="3",
            allowance_spent="4",
            conversation_spent="5",
        )
    )
    assert closing_text(bot, LoopResult(StopReason.BUDGET, detail=scope)) == text


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (StopReason.ANSWERED, "Yes."),
        (StopReason.MODEL_REFUSED, "Yes."),
        (StopReason.OUTPUT_LIMIT, "Yes." + CUT),
        (StopReason.FAILING_TOOLS, "Call us."),
        (StopReason.LOOP_LIMIT, "Call us."),
    ],
)
def test_what_the_model_said_is_used_where_it_is_an_answer(stop: StopReason, text: str) -> None:
    bot = a_bot(texts=Texts(fallback="Call us."))
    assert closing_text(bot, LoopResult(stop, "Yes.")) == text
    assert closing_text(bot, LoopResult(stop, " \n")) == "Call us."


def test_welcome_and_help() -> None:
    assert welcome(a_bot()) == "Hello! I am Bot. Write to me; /help lists the commands."
    assert welcome(a_bot(texts=Texts(welcome="Hi."))) == "Hi."
    assert help_text(a_bot(description="Sells tea.")).startswith("Sells tea.\n\n/start")
    assert "/usage" not in help_text(a_bot())
    assert "/usage" in help_text(a_bot(expose_usage=True))
