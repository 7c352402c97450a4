"""From what a store says to what a page shows. Pure.

Rules: an amount is what was settled; what is of unknown fate stands beside a cap and nowhere else; names that are
empty in the ledger get one here; what is stored as JSON was written by us, and what of it cannot be read is left
out rather than breaking the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.agent.route_plan import remarks, steps
from runner.bots import Routing
from runner.conversations.models import AssistantMessage, UserMessage, message_from_json
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.ports.books import UsageSum
from runner.ports.dialogue import StopReason
from runner.ports.reports import ConversationLine, Transcript, TranscriptTurn
from runner.web.dashboard.figures import Breakdown, CacheFigures, Cap, Days, Figures, Series, Share
from runner.web.dashboard.views import ConversationRow, Fact, Rules, Said, ToolRun, UsageRow

UNNAMED = "(none)"
_ENDED_WELL = frozenset({StopReason.ANSWERED, StopReason.COMMAND, StopReason.NOTICE})


def spend_days(sums: Iterable[UsageSum], days: Sequence[str]) -> Days:
    """Sums by (day, something) as series over these days; days outside are left out."""
    places = {day: at for at, day in enumerate(days)}
    series: dict[str, list[int]] = {}
    for one in sums:
        day, name = one.key
        if day in places:
            series.setdefault(name or UNNAMED, [0] * len(days))[places[day]] += one.cost
    return Days(tuple(days), tuple(Series(name, tuple(values)) for name, values in sorted(series.items())))


def usage_row(one: UsageSum) -> UsageRow:
    """A row of the usage table."""
    usage = one.usage
    return UsageRow(
        one.key,
        one.cost,
        one.calls,
        one.retries,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
    )


def shares(sums: Sequence[UsageSum], most: int, name: Callable[[tuple[str, ...]], str]) -> tuple[Share, ...]:
    """The dearest so many, and one for all others. `sums`: dearest first."""
    listed = [
        Share(name(one.key) or UNNAMED, one.cost, one.calls, one.usage.input_tokens + one.usage.output_tokens)
        for one in sums
    ]
    rest = listed[most:]
    if not rest:
        return tuple(listed)
    others = Share(
        f"{len(rest)} others",
        Money(sum(one.cost for one in rest)),
        sum(one.calls for one in rest),
        sum(one.tokens for one in rest),
    )
    return (*listed[:most], others)


def route_shares(sums: Sequence[UsageSum], most: int, routing: Routing | None) -> tuple[Share, ...]:
    """Sums by (route,), each with its share of the calls and, of a tier, the model that is asked."""
    calls = max(1, sum(one.calls for one in sums))
    tiers = {} if routing is None else {tier.name: tier.choice for tier in routing.tiers}
    noted = []
    for share in shares(sums, most, lambda key: key[0]):
        choice = tiers.get(share.name)
        asked = "" if choice is None else f"{choice.provider}/{choice.model}; "
        noted.append(replace(share, note=f"{asked}{share.calls * 100 // calls} % of the calls"))
    return tuple(noted)


def rules_of(routing: Routing | None) -> Rules | None:
    """How a bot's routing decides, in words."""
    if routing is None:
        return None
    tiers = (
        Fact(
            f"{tier.name} (default)" if tier.name == routing.default else tier.name,
            f"{tier.choice.provider}/{tier.choice.model}",
        )
        for tier in routing.tiers
    )
    return Rules(tuple(Fact(step.when, step.tier) for step in steps(routing)), tuple(tiers), remarks(routing))


def cache_figures(sums: Iterable[UsageSum], days: Sequence[str]) -> CacheFigures:
    """Sums by (day,) as the share of input tokens that the provider's cache gave."""
    by_day = {one.key[0]: one.usage for one in sums}
    read = sum(usage.cache_read_tokens for usage in by_day.values())
    asked = sum(usage.input_tokens for usage in by_day.values())
    daily = tuple(
        by_day[day].cache_read_tokens * 100 // by_day[day].input_tokens
        if day in by_day and by_day[day].input_tokens
        else None
        for day in days
    )
    return CacheFigures(read, asked, tuple(days), daily)


def cap_of(counter: Counter, limit: Money | None) -> Cap:
    """A scope's counter against its limit."""
    return Cap(Money(counter.settled), Money(counter.held), Money(counter.unknown), limit)


def conversation_row(line: ConversationLine, tokens: int = 0) -> ConversationRow:
    """A line of the list."""
    return ConversationRow(
        line.id,
        line.user,
        line.channel,
        line.started_ms,
        line.last_ms,
        line.messages,
        Money(line.cost + line.unknown),
        tokens,
    )


def said_in(transcript: Transcript) -> tuple[Said, ...]:
    """What was said, turn by turn: each answer with its tools and its figures."""
    return tuple(one for turn in transcript.turns for one in said_of(turn))


def tokens_of(transcript: Transcript) -> int:
    """All tokens of a conversation."""
    return sum(turn.input_tokens + turn.output_tokens for turn in transcript.turns)


def said_of(turn: TranscriptTurn) -> tuple[Said, ...]:
    """What was said in one turn, as far as it was remembered."""
    messages = [message_from_json(text) for text in turn.messages]
    asked = tuple(Said("user", one.text, turn.at_ms) for one in messages if isinstance(one, UserMessage))
    answers = [one.text for one in messages if isinstance(one, AssistantMessage) and one.text]
    stop = "" if turn.stop_reason in _ENDED_WELL else turn.stop_reason
    report = report_of(turn.report)
    figures = figures_of(turn, report)
    tools = tuple(_tool(run) for run in report.get("tool_calls") or () if isinstance(run, Mapping))
    text = "\n\n".join(answers)
    if not (text or tools or stop or turn.calls):
        return asked
    return (*asked, Said("bot", text or "(no text)", turn.at_ms, figures, tools, stop))


def report_of(text: str) -> Mapping[str, Any]:
    """A turn's report; empty where it is none."""
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, Mapping) else {}


def figures_of(turn: TranscriptTurn, report: Mapping[str, Any]) -> Figures | None:
    """What an answer took; None where no model was called."""
    if not turn.calls:
        return None
    route, tokens = report.get("route") or {}, report.get("tokens") or {}
    parts = report.get("token_breakdown")
    return Figures(
        turn.input_tokens,
        turn.output_tokens,
        Money(turn.cost + turn.unknown),
        tokens.get("cache_read", 0),
        report.get("latency_ms", 0),
        report.get("loop_iterations", turn.calls),
        route.get("provider", ""),
        route.get("model", ""),
        route.get("route", ""),
        route.get("reason", ""),
        _breakdown(parts) if isinstance(parts, Mapping) else None,
    )


def _breakdown(parts: Mapping[str, int]) -> Breakdown:
    names = (
        "systemPrompt",
        "toolDefinitions",
        "conversationHistory",
        "currentMessage",
        "toolResults",
        "llmOutput",
    )
    return Breakdown(*(parts.get(name, 0) for name in names))


def _tool(run: Mapping[str, Any]) -> ToolRun:
    asked = run.get("arguments", "")
    return ToolRun(
        str(run.get("toolName", UNNAMED)),
        asked if isinstance(asked, str) else json.dumps(asked, ensure_ascii=False),
        str(run.get("result", "")),
        int(run.get("latencyMs", 0)),
        ok=bool(run.get("success", True)),
    )
