"""Answers that are given again: to the same question, at no cost, for a while.

    question_of ─▶ Question ─▶ find ─▶ a row of the ledger that costs 0, and the answer as the turn's first step
                       │          └▶ None: the model is asked
                       └─────▶ keep, once the model has answered

Rules: what is kept is the answer to ONE message of a conversation that has no other, without anything that came along
and without its writer's name, made without a tool: nothing in it is about a user. Only the same text counts as the
same question (letter case, width and spacing aside), asked of the same model under the same terms: a change of the
bot's definition or of its tools finds nothing of what was before. A hit passes the same holds as a call, so a limit
that is overdrawn refuses it too. Whatever the store does, keeping never fails a turn; looking is given up quietly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace

from runner.agent.asks import Metered, ScopesOf
from runner.agent.loop import LoopResult
from runner.agent.replies import PaidReply, step_to_json
from runner.agent.route_words import normalised
from runner.bots import Bot, ModelChoice
from runner.clock import MS_PER_DAY, Clock
from runner.conversations.models import UserMessage
from runner.errors import StoreError
from runner.money.amounts import ZERO, to_usd
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE
from runner.ports.answers import AnswerStore, KeptAnswer
from runner.ports.books import Held, HoldRequest, MoneyStore, Settlement
from runner.ports.dialogue import FinishReason, ModelReply, StopReason, ToolSpec
from runner.ports.mail import ConversationState, StoredStep
from runner.ports.observer import Fault, Observer

CACHE_ROUTE = "cache"
"""What the ledger calls it."""
MOST_CHARS = 32_000
"""Of an answer; a longer one is not kept."""
NOTHING = Estimate(0, 0, 0, ZERO, 0)
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Question:
    """A message whose answer may be kept.

    Attributes:
        terms: a digest of everything in the bot's definition that may change an answer; without secrets.
        text: what was asked, normalised.
        ttl_ms: for how long its answer holds.
    """

    bot: str
    terms: str
    text: str
    ttl_ms: int

    def key(self, choice: ModelChoice) -> str:
        """Under which that model's answer is kept."""
        parts = (self.bot, self.terms, choice.provider, choice.model, self.text)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def question_of(
    bot: Bot,
    state: ConversationState,
    message: UserMessage,
    specs: tuple[ToolSpec, ...],
    *,
    came_along: bool,
) -> Question | None:
    """The message as a question whose answer may be kept; None: it is not one, or the bot keeps none.

    `state`: the conversation before it; `specs`: the tools that the model is told of; `came_along`: whether anything
    did, pictures, files or speech, also where only its text is left.
    """
    if bot.response_cache is None or came_along or message.pictures or message.name is not None:
        return None
    text = normalised(message.text)
    if not text or state.next_seq > 0 or state.head:
        return None
    return Question(bot.id, terms_of(bot, specs), text, bot.response_cache.ttl_ms)


def terms_of(bot: Bot, specs: tuple[ToolSpec, ...]) -> str:
    """A digest of what an answer hangs on; equal in every process for equal definitions."""
    stable = {
        "system": bot.system_prompt,
        "choice": bot.choice,
        "temperature": bot.temperature,
        "max_output_tokens": bot.limits.max_output_tokens,
        "routing": bot.routing,
        "ttl": bot.response_cache,
        "tools": specs,
    }
    return hashlib.sha256(json.dumps(_plain(stable), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """The value as JSON that does not hang on hashing or on the order of sets.

    Raises:
        TypeError: it is something else than terms are made of, a secret for one.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} is no term of an answer")


class KeptAnswers:
    """Finds answers, and keeps them."""

    def __init__(self, store: AnswerStore, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer

    async def find(
        self,
        question: Question,
        choice: ModelChoice,
        about: Attempt,
        scopes: ScopesOf,
        session: MoneyStore,
        step_number: int,
        attempts_used: int,
    ) -> Metered | None:
        """The answer that this model gave earlier, held, settled at 0 and stored as a step; None: ask the model.

        None also where a limit refuses: the model's own hold says which. Raises StoreError where the ledger cannot be
        written, as a call does.
        """
        now = self._clock.now_ms()
        try:
            kept = await self._store.kept_answer(question.key(choice), now)
        except StoreError as error:
            self._observer.note(Fault("kept answer", str(error), about.bot, about.turn))
            return None
        if kept is None:
            return None
        attempt = replace(
            about,
            id=f"{about.turn}-{attempts_used + 1}",
            time_ms=now,
            provider=choice.provider,
            model=choice.model,
            route=CACHE_ROUTE,
            route_reason=reason_of(kept, now),
        )
        held = await session.hold(HoldRequest(attempt, scopes(attempt), NOTHING))
        if not isinstance(held, Held):
            return None
        paid = PaidReply(
            ModelReply(kept.text),
            NO_USAGE,
            ZERO,
            attempt.provider,
            attempt.model,
            attempt.route,
            attempt.route_reason,
            attempt.feature,
        )
        step = StoredStep(step_number, step_to_json(paid))
        await session.settle(
            Settlement(
                attempt.id,
                ReservationState.SETTLED,
                ZERO,
                stop_reason=FinishReason.END,
                step=step,
            )
        )
        return Metered(paid, attempts_used + 1)

    async def keep(self, question: Question, result: LoopResult, turn: str) -> None:
        """Keep the answer of a turn, if it is one to keep. Never raises for the store."""
        paid = keepable(result)
        if paid is None:
            return
        now = self._clock.now_ms()
        answer = KeptAnswer(
            key=question.key(ModelChoice(paid.provider, paid.model)),
            bot=question.bot,
            text=paid.reply.text,
            cost=paid.cost,
            made_ms=now,
            until_ms=now + question.ttl_ms,
        )
        try:
            await self._store.keep_answer(answer)
        except StoreError as error:
            self._observer.note(Fault("keep answer", str(error), question.bot, turn))


def keepable(result: LoopResult) -> PaidReply | None:
    """The reply that is a turn's whole answer, fresh from a model and made without tools; None: there is none."""
    if result.stop is not StopReason.ANSWERED or result.tool_runs or len(result.replies) != 1:
        return None
    [paid] = result.replies
    text = paid.reply.text
    good = text.strip() and len(text) <= MOST_CHARS and paid.reply.finish is FinishReason.END
    return paid if good and paid.route != CACHE_ROUTE else None


def reason_of(kept: KeptAnswer, now_ms: int) -> str:
    """Why no model was asked, for the ledger: when that was answered, and what it cost then."""
    return f"the same question was answered {_ago(now_ms - kept.made_ms)} ago for {to_usd(kept.cost)} USD"


def _ago(age_ms: int) -> str:
    for unit_ms, name in ((MS_PER_DAY, "d"), (_HOUR_MS, "h"), (_MINUTE_MS, "min")):
        if age_ms >= unit_ms:
            return f"{age_ms // unit_ms} {name}"
    return "less than a minute"
