"""Nodes that are one model call: llm_call, llm_router, confidence_router, guardrail with a prompt.

Rule: an answer that is none of what was asked for is the node's failure, with the beginning of the answer in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from runner.agent.asks import Failed as NotAnswered
from runner.agent.asks import Refused
from runner.agent.replies import PaidReply
from runner.agent.route_words import matched_label
from runner.money.prices import PriceBook
from runner.ports.dialogue import FinishReason
from runner.workflows.doers.models import brief, choice_of, request_of
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import text_of
from runner.workflows.faults import shown
from runner.workflows.nodes.thinking import (
    BLOCK,
    HIGH,
    LOW,
    PASS,
    ConfidenceRouter,
    Guardrail,
    LlmCall,
    LlmRouter,
)

_NUMBER = re.compile(r"(?<![\w.])(?:0?\.\d+|[01](?:\.\d+)?|\d{1,3}\s*%)(?![\w.])")


class Asking:
    """Asks a model once."""

    def __init__(self, book: Callable[[], PriceBook]) -> None:
        self._book = book

    async def do(self, doing: Doing) -> Outcome:
        """Do an llm_call, a router or a guardrail."""
        node = doing.step.placed.node
        match node:
            case LlmCall():
                outcome = await self._call(doing, node)
            case LlmRouter(routes=routes):
                outcome = await self._choose(
                    doing,
                    f"{_text(doing, 'prompt')}\n\n{_choices(routes)}",
                    lambda said: matched_label(said, routes),
                    "the model chose none of the routes",
                )
            case ConfidenceRouter(threshold=threshold):
                outcome = await self._choose(
                    doing,
                    f"{_text(doing, 'prompt')}\n\n{_HOW_SURE}",
                    lambda said: _side(confidence_in(said), threshold),
                    "the model did not say how sure it is",
                )
            case Guardrail():
                outcome = await self._choose(
                    doing,
                    f"{_text(doing, 'prompt')}\n\nThe text:\n{_text(doing, 'text')}\n\n{_VERDICT}",
                    lambda said: matched_label(said, (PASS, BLOCK)),
                    "the model gave no verdict",
                )
            case _:
                outcome = Outcome(Failed("asks no model"))
        return outcome

    async def _call(self, doing: Doing, node: LlmCall) -> Outcome:
        paid = await self._ask(doing, _text(doing, "prompt"), node.max_tokens, node.temperature)
        return Outcome(Failed(paid) if isinstance(paid, str) else Done(answer_of(paid)))

    async def _choose(
        self, doing: Doing, prompt: str, pick: Callable[[str], str | None], otherwise: str
    ) -> Outcome:
        """Ask a question that a word answers, and go on at the handle that it means."""
        choice = choice_of(doing.bot.choice, _model(doing), self._book())
        paid = await self._ask(doing, prompt, brief(choice, self._book()), 0.0)
        if isinstance(paid, str):
            return Outcome(Failed(paid))
        handle = pick(paid.reply.text)
        if handle is None:
            return Outcome(Failed(f"{otherwise}: {shown(paid.reply.text)}"))
        return Outcome(Done(handle, handle=handle))

    async def _ask(
        self, doing: Doing, prompt: str, max_tokens: int | None, temperature: float
    ) -> PaidReply | str:
        """The reply, or why there is none."""
        choice = choice_of(doing.bot.choice, _model(doing), self._book())
        request = request_of(doing.bot, choice, prompt, max_tokens, temperature)
        return answered(await doing.recall.ask(request, feature=doing.feature))


def answered(result: PaidReply | Refused | NotAnswered) -> PaidReply | str:
    """The reply, or why there is none, as a sentence."""
    match result:
        case PaidReply(reply=reply) if reply.finish is FinishReason.REFUSAL and not reply.text.strip():
            return "the model refused to answer"
        case PaidReply():
            return result
        case Refused(scope):
            return f"money was refused: {scope}"
        case NotAnswered(why):
            return f"no model answered: {why}"


def answer_of(paid: PaidReply) -> dict[str, str | int]:
    """`{text, tokensInput, tokensOutput}`."""
    return {
        "text": paid.reply.text,
        "tokensInput": paid.usage.input_tokens,
        "tokensOutput": paid.usage.output_tokens,
    }


def confidence_in(said: str) -> float | None:
    """The only number from 0 to 1, or percentage, in an answer."""
    found = _NUMBER.findall(said)
    if len(found) != 1:
        return None
    text = found[0]
    sure = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    return sure if 0 <= sure <= 1 else None


def _side(sure: float | None, threshold: float) -> str | None:
    if sure is None:
        return None
    return HIGH if sure >= threshold else LOW


def _text(doing: Doing, name: str) -> str:
    return text_of(doing.inputs[name])


def _model(doing: Doing) -> str | None:
    named = doing.inputs["model"]
    return named if isinstance(named, str) else None


def _choices(routes: Mapping[str, str]) -> str:
    known = "\n".join(f"- {name}: {purpose}" if purpose else f"- {name}" for name, purpose in routes.items())
    return f"Choose one of these:\n{known}\n\nAnswer with its name and nothing else."


_HOW_SURE = "Answer with one number from 0 (not at all) to 1 (certain) and nothing else."
_VERDICT = f"Answer with one word, {PASS} or {BLOCK}, and nothing else."
