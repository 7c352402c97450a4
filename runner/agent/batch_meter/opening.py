"""A batch comes into being: every line is priced and held in full, or nothing is.

Rules: a line is held at the batch's price with the whole output that it asks for: one that would be cut short is
not what was asked for. A model that is not served in batches, or has no price for them, is a refusal, whatever
limits there are. A line's cap a message is its own; users' and conversations' caps are not asked, for an operator's
batch is nobody's message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from runner.agent.aftermath import Aftermath
from runner.agent.asks import ScopesOf
from runner.agent.batch_meter.requests import (
    BatchPrompt,
    Terms,
    attempt_of,
    prompt_to_json,
    request_of,
    terms_of,
    terms_to_json,
)
from runner.agent.meter import Providers
from runner.bots import Bot, Secret
from runner.clock import Clock
from runner.errors import OperatorError
from runner.money.budget import Busy, Exhausted
from runner.money.estimate import Unbounded, estimate
from runner.money.prices import PriceBook
from runner.ports.batch_server import BatchServer
from runner.ports.batches import Batch, BatchLine, BatchStore, Kept
from runner.ports.books import HoldRequest
from runner.ports.observer import Observer, SpendRefused

AT_ONCE = 100
"""Lines that are prepared before others get their turn."""


class BatchProviders(Providers, Protocol):
    """Finds who serves a model, and who runs its batches."""

    def batches(self, name: str, key: Secret | None = None) -> BatchServer | None:
        """Who runs that provider's batches; None: it has none. Raises OperatorError."""


@dataclass(frozen=True, slots=True)
class BatchAsk:
    """What is to be run. `id`: of the batch; `key`, `label`: as `Batch` has them."""

    id: str
    bot: Bot
    prompts: Sequence[BatchPrompt]
    key: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class NotOpened:
    """Nothing is held and nothing was kept.

    Attributes:
        kind: `limit`: reached for good; `busy`: held by others now; `unserved`: this bot's model cannot be asked so.
    """

    kind: Literal["limit", "busy", "unserved"]
    why: str


class BatchOpener:
    """Opens batches. `scopes_of`: what a bot's lines are held against."""

    def __init__(
        self,
        providers: BatchProviders,
        book: Callable[[], PriceBook],
        store: BatchStore,
        scopes_of: Callable[[Bot], ScopesOf],
        aftermath: Aftermath,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._providers = providers
        self._book = book
        self._store = store
        self._scopes_of = scopes_of
        self._aftermath = aftermath
        self._clock = clock
        self._observer = observer

    async def open(self, ask: BatchAsk) -> Kept | NotOpened:
        """Price every line, then keep the batch with all its holds. Raises StoreError."""
        choice = ask.bot.choice
        shown = f"{choice.provider}/{choice.model}"
        row = self._book().find(choice.provider, choice.model)
        price = None if row is None else row.for_batch()
        if price is None:
            return NotOpened("unserved", f"{shown} has no price{'' if row is None else ' for batches'}")
        if self._aftermath.is_set_aside(choice):
            return NotOpened("unserved", f"{shown} charged more than its bound")
        try:
            if self._providers.batches(choice.provider, ask.bot.key_for(choice.provider)) is None:
                return NotOpened("unserved", f"{choice.provider} runs no batches")
            batch, lines, holds = await self._priced(ask, terms_of(ask.bot, price))
        except (Unbounded, OperatorError) as error:
            return NotOpened("unserved", str(error))
        result = await self._store.add(batch, lines, holds)
        if isinstance(result, Kept):
            return result
        return self._refused(ask, result)

    async def _priced(self, ask: BatchAsk, terms: Terms) -> tuple[Batch, list[BatchLine], list[HoldRequest]]:
        """The batch as it is to be kept. Raises Unbounded and OperatorError."""
        bot, choice, now = ask.bot, ask.bot.choice, self._clock.now_ms()
        provider = self._providers.get(choice.provider, bot.key_for(choice.provider))
        batch = Batch(
            id=ask.id,
            bot=bot.id,
            provider=choice.provider,
            model=choice.model,
            made_ms=now,
            lines=len(ask.prompts),
            key=ask.key,
            label=ask.label,
            terms=terms_to_json(terms),
        )
        scopes = self._scopes_of(bot)
        lines, holds = [], []
        for number, prompt in enumerate(ask.prompts, 1):
            wanted = prompt.max_output_tokens or bot.limits.max_output_tokens
            size = provider.prepare(request_of(prompt, choice, terms, wanted)).size
            bound = estimate(size, terms.price, wanted)
            attempt = attempt_of(batch, terms, number, now)
            # In full: a line that would be cut short is not what was asked for.
            in_full = replace(bound, floor_tokens=bound.output_tokens)
            holds.append(HoldRequest(attempt, scopes(attempt), in_full))
            lines.append(BatchLine(number, prompt.custom_id, prompt_to_json(prompt), bound.output_tokens))
            if number % AT_ONCE == 0:
                await self._clock.sleep(0)
        return batch, lines, holds

    def _refused(self, ask: BatchAsk, result: Busy | Exhausted) -> NotOpened:
        match result:
            case Exhausted(scope, limit, gone):
                told = SpendRefused(ask.bot.id, ask.id, scope, "batch", limit, gone)
                why = f"all its lines together are more than is left of the limit of {scope}"
                opened = NotOpened("limit", why)
            case Busy(scope):
                told = SpendRefused(ask.bot.id, ask.id, scope, "busy")
                opened = NotOpened("busy", f"the money of {scope} is held by others now: try again later")
        self._observer.note(told)
        return opened
