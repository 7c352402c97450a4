"""The handlers of all pages, by the names that `routes.PLACES` gives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from runner.web.dashboard_pages.bot import BotPages
from runner.web.dashboard_pages.console import ConsolePages
from runner.web.dashboard_pages.desk import Desk, Visit
from runner.web.dashboard_pages.handoffs import DeskHandoffs, HandoffPages
from runner.web.dashboard_pages.overview import OverviewPage
from runner.web.dashboard_pages.settings import SettingsPages
from runner.web.dashboard_pages.usage import UsagePages
from runner.web.dashboard_pages.wallet import WalletPages
from runner.web.entry import Doorkeeper
from runner.web.pages import Pages
from runner.web.parts import WebParts


def handlers(
    parts: WebParts, door: Doorkeeper, pages: Pages
) -> Mapping[str, Callable[[Visit], Awaitable[web.Response]]]:
    """All of them."""
    desk = Desk(parts, door, pages, DeskHandoffs(parts.handoffs, parts.store))
    bot, console, usage = BotPages(desk), ConsolePages(desk), UsagePages(desk)
    wallet, settings, handoffs = WalletPages(desk), SettingsPages(desk), HandoffPages(desk)
    return {
        "overview": OverviewPage(desk).show,
        "bot": bot.show,
        "save-cap": bot.save_cap,
        "conversations": bot.conversations,
        "conversation": bot.conversation,
        "settings": settings.show,
        "save-settings": settings.save,
        "console": console.show,
        "say": console.say,
        "usage": usage.show,
        "usage-csv": usage.csv,
        "handoffs": handoffs.show,
        "decide": handoffs.decide,
        "wallet": wallet.show,
        "top-up": wallet.top_up,
        "reconcile": wallet.reconcile,
        "clear": wallet.clear,
    }
