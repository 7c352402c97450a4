"""What the calls about batches take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runner.clock import UnixMs, iso
from runner.dispatch.batch_lines import LONGEST_ID, MOST_LINES
from runner.money.amounts import to_usd
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState
from runner.money.savings import by_batches
from runner.ports.batches import Batch, BatchFigures, BatchState, LineEnd
from runner.web.calls import Fields, Shown

MOST_RESULTS = 1000
MOST_BATCHES = 100
MAX_KEY = 200

Fate = Literal["waiting", "answered", "not_run", "unknown"]
"""`unknown`: nobody knows whether the line was charged; all that it can have cost stands against the limits."""
FATES: dict[ReservationState, Fate] = {
    ReservationState.HELD: "waiting",
    ReservationState.SETTLED: "answered",
    ReservationState.RELEASED: "not_run",
    ReservationState.UNKNOWN: "unknown",
}


class LineMessage(Fields):
    """Something that was said. Only the first may be of the role `system`; the last one is a user's."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class LineAsked(Fields):
    """One line: a `prompt`, or `messages`. `max_tokens`: never more than the bot's own limit."""

    custom_id: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: Annotated[list[LineMessage], Field(min_length=1)] | None = None
    system: Annotated[str, Field(min_length=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class NewBatch(Fields):
    """A batch. `key`: the caller's own; the same key twice is one batch."""

    lines: Annotated[list[LineAsked], Field(min_length=1, max_length=MOST_LINES)]
    key: Annotated[str, Field(min_length=1, max_length=MAX_KEY)] | None = None


class BatchPage(Fields):
    """How many, the latest first."""

    limit: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 20


class ResultPage(Fields):
    """A page of results: of lines with a larger number than `after`. `format=jsonl`: all of them, a line each."""

    after: Annotated[int, Field(ge=0, le=MOST_LINES)] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = MOST_RESULTS
    form: Literal["json", "jsonl"] = Field("json", alias="format")


class BatchShown(Shown):
    """A batch. Amounts are exact decimal texts in US dollars; times are ISO 8601 in UTC.

    `lines` = `waiting` + `answered` + `not_run` + `unknown`. `reached`: how many lines the provider has got to.
    `held_usd`: set aside for lines that wait. `saved_usd`: what the same calls would have cost more by themselves,
    by the prices of now; null where the model has none any more. `schedule`: which of the bot's made it.
    """

    id: str
    bot: str
    state: BatchState
    lines: int
    reached: int
    waiting: int
    answered: int
    not_run: int
    unknown: int
    llm_provider: str
    llm_model: str
    schedule: str | None
    key: str | None
    created_at: str
    submitted_at: str | None
    ended_at: str | None
    cancel_asked: bool
    held_usd: str
    cost_usd: str
    unknown_cost_usd: str
    saved_usd: str | None
    tokens: dict[str, int]
    why: str


class BatchList(Shown):
    """The latest first."""

    batches: list[BatchShown]


class ResultShown(Shown):
    """What became of a line. `text` and `finish`: null where there is no answer; `error`: why not."""

    custom_id: str
    state: Fate
    text: str | None
    finish: str | None
    tokens: dict[str, int]
    cost_usd: str
    error: str | None


class Results(Shown):
    """In the order in which the lines were handed in. `next`: what comes after this page; null: nothing."""

    results: list[ResultShown]
    next: int | None


def batch_shown(batch: Batch, figures: BatchFigures, prices: PriceBook) -> BatchShown:
    """A batch as callers see it."""
    price = prices.find(batch.provider, batch.model)
    saved = None
    if price is not None and price.batch_percent is not None:
        saved = to_usd(by_batches(figures.usage, price.rates, price.batch_percent))
    return BatchShown(
        id=batch.id,
        bot=batch.bot,
        state=batch.state,
        lines=batch.lines,
        reached=batch.reached,
        waiting=figures.open,
        answered=figures.settled,
        not_run=figures.released,
        unknown=figures.unknown,
        llm_provider=batch.provider,
        llm_model=batch.model,
        schedule=batch.label or None,
        key=batch.key or None,
        created_at=iso(UnixMs(batch.made_ms)),
        submitted_at=_at(batch.submitted_ms),
        ended_at=_at(batch.ended_ms),
        cancel_asked=batch.cancel,
        held_usd=to_usd(figures.held),
        cost_usd=to_usd(figures.cost),
        unknown_cost_usd=to_usd(figures.unknown_cost),
        saved_usd=saved,
        tokens={"input": figures.usage.input_tokens, "output": figures.usage.output_tokens},
        why=batch.why,
    )


def result_shown(end: LineEnd, reply: dict[str, Any] | None) -> ResultShown:
    """A line as callers see it; `reply`: what its step says of the answer."""
    waits = end.state is ReservationState.HELD
    return ResultShown(
        custom_id=end.custom_id,
        state=FATES[end.state],
        text=None if reply is None else str(reply["text"]),
        finish=None if reply is None else str(reply["finish"]),
        tokens={"input": end.usage.input_tokens, "output": end.usage.output_tokens},
        cost_usd="0.00" if waits else to_usd(end.cost),
        error=end.why or (None if waits or reply is not None else "there is no answer"),
    )


def _at(moment: int) -> str | None:
    return iso(UnixMs(moment)) if moment else None
