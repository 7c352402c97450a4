"""From a bot and what it is asked to the requests of a batch, and to what a store keeps of them. Pure.

Rules: what a line sends is fixed when money is held for it: a bot that is changed afterwards changes no batch that
is on its way; so does the price that its lines are settled at. No tools, and nothing is asked to be cached: the
lines of a batch run in any order, side by side. What is written here is read back equal by every later version.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from runner.bots import Bot, ModelChoice
from runner.conversations.models import Message, message_from_json, message_to_json
from runner.money.ledger import Attempt
from runner.money.prices import ModelLimits, Price, Rates, Tier
from runner.ports.batches import FEATURE, Batch, BatchLine, attempt_id
from runner.ports.dialogue import ModelRequest


@dataclass(frozen=True, slots=True)
class BatchPrompt:
    """One line as its maker wrote it.

    Attributes:
        custom_id: the maker's name for it, unique in the batch.
        messages: legal, begins and ends with a user's.
        system: in place of the bot's system prompt; None: the bot's.
        max_output_tokens: None: the bot's.
    """

    custom_id: str
    messages: tuple[Message, ...]
    system: str | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What all lines of a batch share. `price`: the batch's own rates; `own_key`: the bot pays its provider itself."""

    system: str
    price: Price
    temperature: float | None = None
    billing_mode: str = "wallet"
    task: str = ""
    own_key: bool = False


def terms_of(bot: Bot, price: Price) -> Terms:
    """The terms of a batch that this bot begins now. `price`: the batch's."""
    own_key = bot.key_for(bot.choice.provider) is not None
    return Terms(
        system=bot.system_prompt,
        price=price,
        temperature=bot.temperature if price.limits.temperature else None,
        billing_mode=bot.billing_mode.value,
        task=bot.task,
        own_key=own_key,
    )


def terms_to_json(terms: Terms) -> str:
    """As a store keeps them."""
    return json.dumps(asdict(terms), ensure_ascii=False, separators=(",", ":"))


def terms_from_json(text: str) -> Terms:
    """Read what `terms_to_json` wrote."""
    raw = json.loads(text)
    price = raw.pop("price")
    tiers = tuple(Tier(tier["above_input_tokens"], Rates(**tier["rates"])) for tier in price.pop("tiers"))
    rates, limits = Rates(**price.pop("rates")), ModelLimits(**price.pop("limits"))
    return Terms(**raw, price=Price(**price, rates=rates, tiers=tiers, limits=limits))


def prompt_to_json(prompt: BatchPrompt) -> str:
    """What of a line is its own, as a store keeps it."""
    raw: dict[str, Any] = {"messages": [message_to_json(message) for message in prompt.messages]}
    if prompt.system is not None:
        raw["system"] = prompt.system
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))


def request_of(
    prompt: BatchPrompt, choice: ModelChoice, terms: Terms, max_output_tokens: int
) -> ModelRequest:
    """What a line sends."""
    return ModelRequest(
        choice=choice,
        system=terms.system if prompt.system is None else prompt.system,
        messages=prompt.messages,
        max_output_tokens=max_output_tokens,
        temperature=terms.temperature,
    )


def stored_request(line: BatchLine, choice: ModelChoice, terms: Terms) -> ModelRequest:
    """What a stored line sends: the same as when money was held for it."""
    raw = json.loads(line.request)
    messages = tuple(message_from_json(text) for text in raw["messages"])
    prompt = BatchPrompt(line.custom_id, messages, raw.get("system"))
    return request_of(prompt, choice, terms, line.max_output_tokens)


def attempt_of(batch: Batch, terms: Terms, number: int, now_ms: int) -> Attempt:
    """The ledger row of a line. It is no user's and no conversation's."""
    return Attempt(
        id=attempt_id(batch.id, number),
        time_ms=now_ms,
        bot=batch.bot,
        platform=FEATURE,
        channel=FEATURE,
        conversation="",
        user="",
        turn=batch.id,
        provider=batch.provider,
        model=batch.model,
        price_version=terms.price.version,
        feature=FEATURE,
        task=terms.task,
        billing_mode=terms.billing_mode,
    )
