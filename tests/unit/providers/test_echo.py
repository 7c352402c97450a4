"""The offline provider stays within its bound and says what it is."""

from hypothesis import given
from hypothesis import strategies as st

from runner.bots import ModelChoice
from runner.conversations.models import AssistantMessage, UserMessage
from runner.money.estimate import input_bound
from runner.money.prices import Price, Rates
from runner.ports.dialogue import FinishReason, ModelRequest
from runner.ports.outcomes import Completed
from runner.providers.echo import EchoProvider

FREE = Price("echo", "echo", Rates(0, 0))


def asking(text: str) -> ModelRequest:
    return ModelRequest(
        ModelChoice("echo", "echo"),
        "Be kind.",
        (UserMessage("before"), AssistantMessage("yes"), UserMessage(text)),
    )


async def answer(text: str, limit: int = 1000) -> Completed:
    echo = EchoProvider()
    outcome = await echo.complete(echo.prepare(asking(text)), limit, 1.0)
    assert isinstance(outcome, Completed)
    return outcome


async def test_it_repeats_the_last_message_and_says_that_it_is_offline() -> None:
    completed = await answer("Hello?")
    assert completed.reply.text == "You said: Hello?\n(echo: offline, no model was asked)"
    assert completed.reply.finish is FinishReason.END


async def test_equal_requests_use_equally_much() -> None:
    assert await answer("Hello?") == await answer("Hello?")
    assert (await answer("Hello?")).usage != (await answer("Hello? " * 9)).usage


@given(text=st.text(max_size=200), limit=st.integers(1, 40))
async def test_it_never_uses_more_than_its_bound(text: str, limit: int) -> None:
    completed = await answer(text, limit)
    assert 0 < completed.usage.output_tokens <= limit
    assert completed.usage.input_tokens <= input_bound(EchoProvider().prepare(asking(text)).size, FREE)


async def test_a_cut_answer_says_so() -> None:
    completed = await answer("a long story", limit=3)
    assert (completed.reply.text, completed.reply.finish) == ("You said: a ", FinishReason.LENGTH)
    assert completed.usage.output_tokens == 3
