"""`/bots/{id}`: a bot over some days, its limits and its cap; `/bots/{id}/conversations` and `/conversations/{id}`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from aiohttp import web

from runner.advice.saved import all_of, usage_with_savings
from runner.bots import Bot
from runner.money.amounts import PICO_PER_CENT, BadAmount, Money, from_cents, from_usd, to_usd
from runner.ports.books import UsageSum, add_up
from runner.ports.definitions import Written
from runner.web.answers import refusal
from runner.web.api.reports import cursor_of, read_cursor, whole_days
from runner.web.dashboard.batch_view import batch_row
from runner.web.dashboard.figures import Spend
from runner.web.dashboard.filling import (
    cache_figures,
    conversation_row,
    route_shares,
    rules_of,
    said_in,
    shares,
    spend_days,
    tokens_of,
)
from runner.web.dashboard.views import BotCard, BotPage, Conversations, Fact, Transcript
from runner.web.dashboard.wording import count, days_until, usd
from runner.web.dashboard_pages.advising import Advising
from runner.web.dashboard_pages.desk import Desk, Visit, address, after, no_bot, not_written
from runner.web.dashboard_pages.flowing import workflow_card
from runner.web.fleet import look

PERIODS = (30, 7, 90, 365)
"""The first one where none is asked for."""
TOP = 6
CONVERSATIONS_SHOWN = 6
BATCHES_SHOWN = 6
CONVERSATIONS_A_PAGE = 50


class BotPages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        parts = desk.parts
        self._advising = Advising(parts.store, parts.clock, parts.prices, parts.defined)

    async def show(self, visit: Visit) -> web.Response:
        """The bot."""
        bot_id = visit.request.match_info["bot_id"]
        bot = self._desk.bot(bot_id)
        if bot is None:
            return no_bot(bot_id)
        query = visit.request.query
        page = await self._page(bot, _period(query.get("days")), query.get("run"))
        return await self._desk.show(visit, page)

    async def save_cap(self, visit: Visit) -> web.Response:
        """Set another cap, or none."""
        bot_id, form = visit.request.match_info["bot_id"], visit.form
        bot = self._desk.bot(bot_id)
        if bot is None:
            return no_bot(bot_id)
        period, unit = _period(form.get("days")), "cents" if form.get("unit") == "cents" else "usd"
        given, removes = form.get("amount", ""), form.get("do") == "remove"
        cents = None if removes else whole_cents(given, unit)
        fault, notice = "", None
        if isinstance(cents, str):
            fault = cents
        else:
            patch = {"spending_cap_cents": cents}
            outcome = await self._desk.parts.definitions.change(bot_id, patch)
            if isinstance(outcome, Written):
                return after(address("bots", bot_id), "uncapped" if removes else "cap", days=f"{period}")
            fault, notice = not_written(outcome, "spending_cap_cents")
        page = await self._page(bot, period)
        page = replace(
            page,
            cap_fault=fault or "It was not saved.",
            cap_given=given,
            cap_unit="cents" if unit == "cents" else "usd",
        )
        return await self._desk.show(
            visit, page, *([notice] if notice else []), status=409 if notice else 400
        )

    async def conversations(self, visit: Visit) -> web.Response:
        """A page of the list."""
        bot_id, mark = visit.request.match_info["bot_id"], visit.request.query.get("before")
        before = None if mark is None else read_cursor(mark)
        if mark is not None and before is None:
            return refusal(400, "invalid", "That is no mark of a page of conversations.")
        bot = self._desk.bot(bot_id)
        if bot is None:
            return no_bot(bot_id)
        lines = await self._desk.parts.store.conversations(bot_id, CONVERSATIONS_A_PAGE + 1, before)
        shown = lines[:CONVERSATIONS_A_PAGE]
        older = cursor_of(shown[-1]) if len(lines) > len(shown) else None
        view = Conversations(bot_id, bot.name, tuple(map(conversation_row, shown)), older)
        return await self._desk.show(visit, view)

    async def conversation(self, visit: Visit) -> web.Response:
        """One conversation, whole."""
        found = await self._desk.parts.store.transcript(visit.request.match_info["conversation_id"])
        if found is None:
            return refusal(404, "not_found", "There is no such conversation (any more).")
        row = conversation_row(found.line, tokens_of(found))
        bot_id = found.line.bot
        earlier = max(0, found.line.turns - len(found.turns))
        return await self._desk.show(
            visit, Transcript(row, bot_id, self._desk.bot_name(bot_id), said_in(found), earlier)
        )

    async def _page(self, bot: Bot, period: int, run: str | None = None) -> BotPage:
        desk, store = self._desk, self._desk.parts.store
        days = days_until(desk.today, 2 * period)
        shown = days[-period:]
        which = whole_days(shown[0], shown[-1], bot.id)
        sums = await store.usage(which, ("day", "feature"))
        total = add_up(sums)
        before = add_up(await store.usage(whole_days(days[0], days[period - 1], bot.id), ("feature",)))
        card = BotCard(
            bot.id,
            bot.name,
            bot.choice.provider,
            bot.choice.model,
            bot.enabled,
            desk.connections(bot.id, await look(store)),
            desk.cap(bot, await store.counters([f"bot:{bot.id}"])),
            last_error=desk.last_error(bot.id),
        )
        lines = await store.conversations(bot.id, CONVERSATIONS_SHOWN)
        users = await store.top_users(which, TOP)
        batches = await store.batches.batches(bot.id, BATCHES_SHOWN)
        figures = await store.batches.figures([batch.id for batch in batches])
        saved = all_of(await usage_with_savings(store, which, (), desk.parts.prices())).saved
        return BotPage(
            card,
            period,
            Spend(f"{period} days", total.cost, total.calls, before.cost or None, f"the {period} before"),
            spend_days(sums, shown),
            total.usage.input_tokens,
            total.usage.output_tokens,
            total.retries,
            shares(await store.usage(which, ("provider", "model")), TOP, "/".join),
            shares(users, TOP, lambda key: key[1]),
            route_shares(await store.usage(which, ("route",)), TOP, bot.routing),
            cache_figures(_by_day(sums), shown),
            _limits(bot),
            tuple(map(conversation_row, lines)),
            saved=saved,
            advice=await self._advising.of([bot]),
            rules=rules_of(bot.routing),
            workflow=await workflow_card(bot.workflow, bot.id, store.runs, run),
            batches=tuple(batch_row(batch, figures[batch.id], desk.parts.prices()) for batch in batches),
        )


def whole_cents(text: str, unit: str) -> int | str:
    """A cap as it was typed, in cents; or what is wrong with it."""
    typed = text.strip().removeprefix("$").strip()
    if not typed:
        return "Say an amount, such as 5.00; or remove the cap."
    try:
        amount = from_usd(typed)
    except BadAmount:
        return f"{typed[:40]!r} is no amount, such as 5.00."
    if unit == "cents":
        amount = Money(from_cents(amount // 10**12) if amount % 10**12 == 0 else -1)
    if amount < 0 or amount % PICO_PER_CENT:
        return "It must be whole cents, and not less than 0."
    return amount // PICO_PER_CENT


def _period(text: str | None) -> int:
    return next((days for days in PERIODS if text == f"{days}"), PERIODS[0])


def _by_day(sums: Iterable[UsageSum]) -> list[UsageSum]:
    """Sums by (day, something) as sums by (day,)."""
    days: dict[str, list[UsageSum]] = {}
    for one in sums:
        days.setdefault(one.key[0], []).append(one)
    return [replace(add_up(those), key=(day,)) for day, those in days.items()]


def _limits(bot: Bot) -> tuple[Fact, ...]:
    """Its other limits, as they are."""
    limits = bot.limits
    facts = [
        Fact("Model calls a message", count(limits.max_loop_iterations)),
        Fact("Tool calls a message", count(limits.max_tool_calls)),
        Fact("Output tokens a call", count(limits.max_output_tokens)),
        Fact("Time for a message", f"{limits.timeout_s:g} s"),
    ]
    if limits.max_cost_per_message is not None:
        facts.append(Fact("Most a message may cost", usd(limits.max_cost_per_message)))
    if bot.rate_limit_per_minute is not None:
        facts.append(Fact("Messages a minute", count(bot.rate_limit_per_minute)))
    if bot.user_rate_limit_per_minute is not None:
        facts.append(Fact("Messages a minute of one user", count(bot.user_rate_limit_per_minute)))
    facts += [
        Fact(
            f"Each {cap.per}, {cap.period}",
            "only exceptions" if cap.amount is None else f"${to_usd(cap.amount)}",
        )
        for cap in bot.caps
    ]
    facts.append(
        Fact("Billing", bot.billing_mode if bot.plan is None else f"{bot.billing_mode}: {bot.plan.name}")
    )
    return tuple(facts)
