"""What the calls about reports take and give."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from runner.ports.books import GROUPINGS
from runner.web.calls import Fields, Shown

MOST_ON_A_PAGE = 200


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("must be a day such as 2026-11-22") from None


def _groupings(text: str) -> str:
    wrong = [name for name in names_of(text) if name not in GROUPINGS]
    if wrong:
        raise ValueError(f"cannot group by {', '.join(wrong)[:80]}; there is {', '.join(GROUPINGS)}")
    return text


def names_of(text: str) -> tuple[str, ...]:
    """`bot,day` as names, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


Day = Annotated[str, Field(max_length=10), AfterValidator(_day)]


class Days(Fields):
    """Which days, UTC; the last one is included. Without them: the last 30 days."""

    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")


class UsageAsked(Days):
    """Which usage. `group_by`: one or more names with commas between them."""

    group_by: Annotated[str, Field(max_length=100), AfterValidator(_groupings)] = "bot,model"
    bot: Annotated[str, Field(max_length=63)] | None = None
    form: Literal["json", "csv"] = Field("json", alias="format")


class Page(Fields):
    """A page of a list. `cursor`: the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MOST_ON_A_PAGE)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None
    user: Annotated[str, Field(max_length=256)] | None = None


class DayShown(Shown):
    """One day of a bot."""

    date: str
    messages_received: int
    messages_sent: int
    tokens_input: int
    tokens_output: int
    total_cost_cents: int
    total_cost_usd: str
    unknown_cost_usd: str
    unique_users: int


class Summary(Shown):
    """All of those days together."""

    total_conversations: int
    total_messages: int
    total_tokens: int
    total_cost_cents: int
    total_cost_usd: str
    unknown_cost_usd: str
    unique_users: int


class Analytics(Shown):
    """A bot by day, days without traffic included."""

    daily: list[DayShown]
    summary: Summary


class UsageLine(Shown):
    """One group: its names by what was grouped by, then its figures.

    What was saved is reckoned at today's prices: by the provider's cache (below 0 where it cost more than
    it brought), by batches, and, estimated, by kept answers; `saved_usd` is the sum of the three.
    """

    model_config = ConfigDict(extra="allow")

    cost_usd: str
    cost_cents: int
    unknown_cost_usd: str
    calls: int
    retries: int
    tokens_input: int
    tokens_output: int
    tokens_cache_read: int
    tokens_cache_write: int
    tokens_reasoning: int
    cache_hit_rate: str
    cache_saved_usd: str
    batch_saved_usd: str
    kept_answers: int
    kept_answers_saved_usd: str
    saved_usd: str


class UsageShown(Shown):
    """Usage of those days, dearest first."""

    model_config = ConfigDict(populate_by_name=True)

    first: str = Field(alias="from")
    last: str = Field(alias="to")
    group_by: list[str]
    groups: list[UsageLine]
    total: UsageLine


class ConversationShown(Shown):
    """A conversation in a list."""

    id: str
    bot: str
    channel: str
    user: str
    started_at: str
    last_at: str
    turns: int
    messages: int
    cost_usd: str
    unknown_cost_usd: str


class ConversationPage(Shown):
    """The latest first. `next`: the cursor of the page after; null: this is the last."""

    conversations: list[ConversationShown]
    next: str | None


class TurnShown(Shown):
    """One message with its answer."""

    turn_id: str
    user: str
    at: str
    stop_reason: str
    calls: int
    tokens: dict[str, int]
    cost_usd: str
    unknown_cost_usd: str
    messages: list[dict[str, Any]]
    report: dict[str, Any]


class ConversationWhole(ConversationShown):
    """A conversation with all that was said, the oldest first."""

    transcript: list[TurnShown]
