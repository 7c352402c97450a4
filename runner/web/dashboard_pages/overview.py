"""`/`: all bots at a glance."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aiohttp import web

from runner.advice.saved import all_of, usage_with_savings
from runner.bots import Bot
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.scopes import WALLET
from runner.ports.books import UsageSum
from runner.web.api.reports import whole_days
from runner.web.dashboard.figures import Spend
from runner.web.dashboard.filling import spend_days
from runner.web.dashboard.fleet_view import DaemonRow
from runner.web.dashboard.views import BotCard, Connection, Notice, Overview
from runner.web.dashboard.wording import counted, days_until, usd
from runner.web.dashboard_pages.advising import Advising
from runner.web.dashboard_pages.desk import Desk, Visit
from runner.web.dashboard_pages.wallet import PATH as WALLET_PAGE
from runner.web.fleet import DaemonNow, FleetNow, look

SHOWN_DAYS = 30
SPARK_DAYS = 14


class OverviewPage:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        parts = desk.parts
        self._advising = Advising(parts.store, parts.clock, parts.prices, parts.defined)

    async def show(self, visit: Visit) -> web.Response:
        """The page."""
        desk, store = self._desk, self._desk.parts.store
        bots = desk.parts.defined()
        days = days_until(desk.today, 2 * SHOWN_DAYS)
        sums = await store.usage(whole_days(days[0], days[-1], None), ("day", "bot"))
        counters = await store.counters([WALLET, *(f"bot:{bot.id}" for bot in bots)])
        received = {one.bot: one.received for one in await store.traffic(None, days[-1], days[-1])}
        waiting = (await store.figures()).waiting
        shown = days[-SHOWN_DAYS:]
        names = {bot.id: bot.name for bot in bots}
        sparks = _sparks(sums, days[-SPARK_DAYS:])
        fleet = await look(store)
        cards = tuple(
            self._card(
                bot,
                desk.connections(bot.id, fleet),
                counters,
                received.get(bot.id, 0),
                waiting.get(bot.id, 0),
                sparks.get(bot.id, ()),
            )
            for bot in bots
        )
        chart = spend_days(
            (UsageSum((one.key[0], names.get(one.key[1], one.key[1])), one.cost) for one in sums), shown
        )
        held = Money(sum(counter.held for name, counter in counters.items() if name != WALLET))
        saved = all_of(
            await usage_with_savings(store, whole_days(shown[0], shown[-1], None), (), desk.parts.prices())
        ).saved
        advice = await self._advising.of(bots)
        view = Overview(
            _spend(sums, days),
            chart,
            cards,
            sum(received.values()),
            held,
            saved=saved,
            advice=advice,
            daemons=() if fleet is None else tuple(map(_daemon, fleet.daemons)),
        )
        return await desk.show(visit, view, standing=[*await self._odd(counters), *_odd_fleet(fleet)])

    def _card(
        self,
        bot: Bot,
        connections: tuple[Connection, ...],
        counters: dict[str, Counter],
        received: int,
        waiting: int,
        spark: tuple[int, ...],
    ) -> BotCard:
        desk = self._desk
        return BotCard(
            bot.id,
            bot.name,
            bot.choice.provider,
            bot.choice.model,
            bot.enabled,
            connections,
            desk.cap(bot, counters),
            received,
            waiting,
            spark or (0,) * SPARK_DAYS,
            desk.last_error(bot.id),
        )

    async def _odd(self, counters: dict[str, Counter]) -> list[Notice]:
        """What somebody has to look at."""
        odd = []
        unknown = sum(counter.unknown for name, counter in counters.items() if name != WALLET)
        if unknown:
            stands = f"{usd(Money(unknown))} stands against caps for calls whose cost nobody knows"
            odd.append(Notice("warning", f"{stands}.", WALLET_PAGE, "Put them right"))
        aside = await self._desk.parts.store.quarantined()
        if aside:
            names = ", ".join(f"{one.provider}/{one.model}" for one in aside[:5])
            text = f"{counted(len(aside), 'model')} set aside after charging more than the price allows: {names}."
            odd.append(Notice("warning", text, WALLET_PAGE, "Look at them"))
        return odd


def _daemon(one: DaemonNow) -> DaemonRow:
    line, facts = one.line, one.facts
    return DaemonRow(
        line.name,
        line.version,
        line.started_ms if line.ended_ms is None else line.ended_ms,
        one.is_gone,
        one.here,
        one.up,
        one.connections,
        facts.lanes,
        facts.waiting,
        facts.lag_ms,
        one.holds,
    )


def _odd_fleet(fleet: FleetNow | None) -> list[Notice]:
    if fleet is None or fleet.files <= 1:
        return []
    text = (
        f"The daemons have {fleet.files} different bots.yaml in force: deploy the same file to all of them."
    )
    return [Notice("warning", text)]


def _sparks(sums: Collection[UsageSum], days: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Each bot's spend by day."""
    return {series.name: series.values for series in spend_days(sums, days).series}


def _spend(sums: Collection[UsageSum], days: Sequence[str]) -> tuple[Spend, ...]:
    """Today, 7 days and 30, each but today beside as many days before."""

    def over(some: Sequence[str]) -> tuple[Money, int]:
        those = set(some)
        mine = [one for one in sums if one.key[0] in those]
        return Money(sum(one.cost for one in mine)), sum(one.calls for one in mine)

    cost, calls = over(days[-1:])
    spend = [Spend("Today", cost, calls)]
    for number in (7, SHOWN_DAYS):
        cost, calls = over(days[-number:])
        before, _ = over(days[-2 * number : -number])
        spend.append(Spend(f"{number} days", cost, calls, before or None, f"the {number} before"))
    return tuple(spend)
