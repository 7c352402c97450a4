"""What was spent and said: analytics by day, usage by anything, conversations with their transcripts.

Rules: days are UTC, the last one included; a cost in cents is the ceiling of that one figure, so those of days never
add up to that of all of them: `total_cost_usd` does; what may have been charged (nobody knows) stands beside what was.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

from aiohttp import web

from runner.advice.saved import SavedSum, all_of, usage_with_savings
from runner.clock import MS_PER_DAY, UnixMs, day_number, iso, utc_day
from runner.conversations.models import AssistantMessage, ToolMessage, UserMessage, message_from_json
from runner.money.amounts import to_cents, to_usd
from runner.ports.books import LedgerFilter, UsageSum, add_up
from runner.ports.reports import BotFacts, ConversationLine, DayTraffic, TranscriptTurn
from runner.web.answers import SAFE_HEADERS, answer, refusal
from runner.web.api.report_models import (
    Analytics,
    ConversationPage,
    ConversationShown,
    ConversationWhole,
    Days,
    DayShown,
    Page,
    Summary,
    TurnShown,
    UsageAsked,
    UsageLine,
    UsageShown,
    names_of,
)
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing, invalid
from runner.web.faults import fault
from runner.web.parts import WebParts
from runner.web.spreadsheet import is_formula

MOST_DAYS = 366
USUAL_DAYS = 30
GROUP = "Reports"


class Reports:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        none = {404: "There is no such bot."}
        usage = Answer("Usage; with `format=csv` as text/csv.", UsageShown, also=("text/csv",))
        listed = {200: Answer("One page.", ConversationPage)}
        return [
            Call("GET", "/api/bots/{bot_id}/analytics", "A bot by day.", "read", self._analytics, Days, Nothing,
                 {200: Answer("Its days.", Analytics)}, none, group=GROUP),
            Call("GET", "/api/usage", "What was spent on what.", "read", self._usage, UsageAsked, Nothing,
                 {200: usage}, group=GROUP),
            Call("GET", "/api/bots/{bot_id}/conversations", "A bot's conversations.", "read", self._conversations,
                 Page, Nothing, listed, none, group=GROUP),
            Call("GET", "/api/conversations/{conversation_id}", "All that was said in one conversation.", "read",
                 self._conversation, Nothing, Nothing, {200: Answer("It.", ConversationWhole)},
                 {404: "There is no such conversation (any more)."}, group=GROUP),
        ]  # fmt: skip

    async def _analytics(self, asked: Asked[Days, Nothing]) -> web.StreamResponse:
        bot, days = asked.params["bot_id"], self._days(asked.query)
        if isinstance(days, web.Response):
            return days
        if all(known.id != bot for known in self._parts.defined()):
            return _no_bot(bot)
        return answer((await analytics_of(self._parts.store, bot, *days)).model_dump())

    async def _usage(self, asked: Asked[UsageAsked, Nothing]) -> web.StreamResponse:
        query, days = asked.query, self._days(asked.query)
        if isinstance(days, web.Response):
            return days
        first, last = days
        by = names_of(query.group_by)
        which = whole_days(first, last, query.bot)
        groups = await usage_with_savings(self._parts.store, which, by, self._parts.prices())
        if query.form == "csv":
            return _csv(groups, by)
        shown = UsageShown(
            first=first,
            last=last,
            group_by=list(by),
            groups=[usage_line(group, by) for group in groups],
            total=usage_line(all_of(groups), ()),
        )
        return answer(shown.model_dump(by_alias=True))

    async def _conversations(self, asked: Asked[Page, Nothing]) -> web.StreamResponse:
        bot, query = asked.params["bot_id"], asked.query
        if all(known.id != bot for known in self._parts.defined()):
            return _no_bot(bot)
        before = None if query.cursor is None else read_cursor(query.cursor)
        if query.cursor is not None and before is None:
            return invalid([fault("cursor", "must be the `next` of a page before")])
        lines = await self._parts.store.conversations(bot, query.limit, before, query.user)
        full = len(lines) == query.limit
        return answer(
            {
                "conversations": [conversation_shown(line).model_dump() for line in lines],
                "next": cursor_of(lines[-1]) if full else None,
            }
        )

    async def _conversation(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        name = asked.params["conversation_id"]
        found = await self._parts.store.transcript(name)
        if found is None:
            return refusal(404, "not_found", f"there is no conversation {name[:80]!r} (any more)")
        line = conversation_shown(found.line).model_dump()
        turns = [turn_shown(turn).model_dump() for turn in found.turns]
        return answer({**line, "transcript": turns})

    def _days(self, query: Days) -> tuple[str, str] | web.Response:
        """The first and the last day, or what is wrong with them."""
        today = utc_day(self._parts.clock.now_ms())
        last = query.last or max(today, query.first or today)
        first = query.first or (date.fromisoformat(last) - timedelta(USUAL_DAYS - 1)).isoformat()
        count = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        if count < 1:
            return invalid([fault("from", f"must not be later than {last}")])
        if count > MOST_DAYS:
            return invalid([fault("from", f"at most {MOST_DAYS} days at once, these are {count}")])
        return first, last


class AnalyticsReads(Protocol):
    """What analytics are made of: a part of the store, or of its reader."""

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As `BookStore.usage`."""

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As `ReportStore.traffic`."""

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As `ReportStore.unique_users`."""

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As `ReportStore.bot_facts`."""


async def analytics_of(store: AnalyticsReads, bot: str, first: str, last: str) -> Analytics:
    """A bot by day, from the first to the last day."""
    which = whole_days(first, last, bot)
    spent = {group.key[0]: group for group in await store.usage(which, ("day",))}
    traffic = {day.day: day for day in await store.traffic(bot, first, last)}
    facts = (await store.bot_facts([bot]))[bot]
    daily = []
    for day in _each(first, last):
        cost, seen = spent.get(day, UsageSum((day,))), traffic.get(day)
        daily.append(
            DayShown(
                date=day,
                messages_received=seen.received if seen else 0,
                messages_sent=seen.sent if seen else 0,
                tokens_input=cost.usage.input_tokens,
                tokens_output=cost.usage.output_tokens,
                total_cost_cents=to_cents(cost.cost),
                total_cost_usd=to_usd(cost.cost),
                unknown_cost_usd=to_usd(cost.unknown),
                unique_users=seen.users if seen else 0,
            )
        )
    total = add_up(list(spent.values()))
    summary = Summary(
        total_conversations=facts.conversations,
        total_messages=sum(day.messages_received + day.messages_sent for day in daily),
        total_tokens=total.usage.total_tokens,
        total_cost_cents=to_cents(total.cost),
        total_cost_usd=to_usd(total.cost),
        unknown_cost_usd=to_usd(total.unknown),
        unique_users=await store.unique_users(bot, first, last),
    )
    return Analytics(daily=daily, summary=summary)


def cursor_of(line: ConversationLine) -> str:
    """Where the page after this line begins."""
    return f"{line.last_ms}.{line.id}"


def read_cursor(text: str) -> tuple[int, str] | None:
    """What `cursor_of` made; None: something else."""
    at, dot, name = text.partition(".")
    return (int(at), name) if dot and name and at.isascii() and at.isdecimal() and len(at) < 16 else None  # noqa: PLR2004 - more digits than any time has


def usage_line(shown: SavedSum, by: Sequence[str]) -> UsageLine:
    """A group as callers see it."""
    group, saved = shown.sum, shown.saved
    used = group.usage
    permille = used.cache_read_tokens * 1000 // used.input_tokens if used.input_tokens else 0
    return UsageLine(
        **dict(zip(by, group.key, strict=False)),
        cost_usd=to_usd(group.cost),
        cost_cents=to_cents(group.cost),
        unknown_cost_usd=to_usd(group.unknown),
        calls=group.calls,
        retries=group.retries,
        tokens_input=used.input_tokens,
        tokens_output=used.output_tokens,
        tokens_cache_read=used.cache_read_tokens,
        tokens_cache_write=used.cache_write_5m_tokens + used.cache_write_1h_tokens,
        tokens_reasoning=used.reasoning_tokens,
        cache_hit_rate=f"{permille // 1000}.{permille % 1000:03d}",
        cache_saved_usd=to_usd(saved.caching),
        batch_saved_usd=to_usd(saved.batches),
        kept_answers=saved.hits,
        kept_answers_saved_usd=to_usd(saved.kept),
        saved_usd=to_usd(saved.total),
    )


def usage_csv(groups: Sequence[SavedSum], by: Sequence[str]) -> str:
    """All groups, a line each; what a spreadsheet would take for a formula is led by an apostrophe."""
    out = io.StringIO()
    figures = [name for name in UsageLine.model_fields if name not in by]
    lines = csv.DictWriter(out, [*by, *figures], lineterminator="\n")
    lines.writeheader()
    for group in groups:
        record = usage_line(group, by).model_dump()
        lines.writerow({name: _cell(value) if name in by else value for name, value in record.items()})
    return out.getvalue()


def conversation_shown(line: ConversationLine) -> ConversationShown:
    """A conversation as callers see it."""
    return ConversationShown(
        id=line.id,
        bot=line.bot,
        channel=line.channel,
        user=line.user,
        started_at=iso(UnixMs(line.started_ms)),
        last_at=iso(UnixMs(line.last_ms)),
        turns=line.turns,
        messages=line.messages,
        cost_usd=to_usd(line.cost),
        unknown_cost_usd=to_usd(line.unknown),
    )


def turn_shown(turn: TranscriptTurn) -> TurnShown:
    """A turn as callers see it."""
    return TurnShown(
        turn_id=turn.turn,
        user=turn.user,
        at=iso(UnixMs(turn.at_ms)),
        stop_reason=turn.stop_reason,
        calls=turn.calls,
        tokens={"input": turn.input_tokens, "output": turn.output_tokens},
        cost_usd=to_usd(turn.cost),
        unknown_cost_usd=to_usd(turn.unknown),
        messages=[_message(text) for text in turn.messages],
        report=json.loads(turn.report),
    )


def _message(text: str) -> dict[str, Any]:
    """A remembered message with its role."""
    match message_from_json(text):
        case UserMessage() as said:
            return {"role": "user", "text": said.text, "name": said.name}
        case AssistantMessage() as said:
            calls = [{"name": call.name, "arguments": call.arguments} for call in said.tool_calls]
            return {"role": "assistant", "text": said.text, "tool_calls": calls}
        case ToolMessage() as told:
            results = [{"name": one.name, "text": one.text, "ok": one.ok} for one in told.results]
            return {"role": "tool", "results": results}


def _csv(groups: Sequence[SavedSum], by: Sequence[str]) -> web.Response:
    headers = {**SAFE_HEADERS, "Content-Disposition": 'attachment; filename="usage.csv"'}
    return web.Response(text=usage_csv(groups, by), content_type="text/csv", charset="utf-8", headers=headers)


def _cell(value: str) -> str:
    return f"'{value}" if is_formula(value) else value


def whole_days(first: str, last: str, bot: str | None) -> LedgerFilter:
    """These UTC days, both whole."""
    return LedgerFilter(bot=bot, from_ms=_start_ms(first), to_ms=_start_ms(last) + MS_PER_DAY)


def _start_ms(day: str) -> int:
    return day_number(day) * MS_PER_DAY


def _each(first: str, last: str) -> Iterable[str]:
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    while day <= end:
        yield day.isoformat()
        day += timedelta(1)


def _no_bot(bot: str) -> web.Response:
    return refusal(404, "not_found", f"there is no bot {bot[:80]!r}")
