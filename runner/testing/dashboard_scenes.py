"""Made-up pages of the dashboard: a shop with five bots, and a daemon that was started just now.

Rule: always the same; the days' figures come from a fixed sequence and not from chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.money.amounts import Money, from_usd
from runner.testing.dashboard_bots import (
    NOW,
    TODAY,
    bot_cards,
    bot_page,
    conversation_rows,
    daemon_rows,
    daily,
    frame,
    overview,
    talk,
)
from runner.web.dashboard.figures import Days, Series, Spend
from runner.web.dashboard.views import (
    BotCard,
    BotPage,
    Choice,
    ConsolePage,
    ConversationRow,
    Conversations,
    Frame,
    HandoffCard,
    HandoffsPage,
    LoginPage,
    Overview,
    PageView,
    Said,
    SettingsPage,
    Transcript,
    Trouble,
    UsagePage,
    UsageRow,
)
from runner.web.dashboard.wallet_view import SetAside, UnknownCall, WalletEvent, WalletPage
from runner.web.dashboard.wording import DAY, HOUR, MINUTE, days_until
from runner.workflows.nodes.talking import HANDOFF_TEXT


def usage(*, by_day: bool = True) -> UsagePage:
    """What the explorer answers."""
    bots: Mapping[str, Sequence[int]] = {
        card.id: daily(210 - 40 * at, 14, at) for at, card in enumerate(bot_cards())
    }
    days = days_until(TODAY, 14)
    by_bot = [
        UsageRow(
            (name, feature),
            Money(sum(values) * part // 100),
            2_000 - part * 9,
            12,
            900_000 + part,
            41_000,
            500_000,
        )
        for name, values in bots.items()
        for feature, part in (("chat", 83), ("summary", 17))
    ]
    by_both = [
        UsageRow((day, name), Money(values[at]), 180 + at, at % 3, 61_000 + at * 7, 3_900, 38_000)
        for at, day in enumerate(days)
        for name, values in bots.items()
    ]
    rows = by_both if by_day else by_bot
    rows = sorted(rows, key=lambda row: -row.cost)
    total = UsageRow(
        (),
        Money(sum(row.cost for row in rows)),
        sum(row.calls for row in rows),
        sum(row.retries for row in rows),
        sum(row.tokens_input for row in rows),
        sum(row.tokens_output for row in rows),
        sum(row.cache_read for row in rows),
    )
    chart = (
        Days(days, tuple(Series(name, tuple(values)) for name, values in bots.items())) if by_day else None
    )
    return UsagePage(
        ("day", "bot") if by_day else ("bot", "feature"),
        days[0],
        TODAY,
        tuple(rows[:40]),
        total,
        chart,
        more=True,
    )


def handoffs() -> HandoffsPage:
    """Two to decide, two decided."""
    return HandoffsPage(
        (
            HandoffCard(
                "ht12.ask",
                "support",
                "Support",
                "maria.kowalska",
                "The customer asks for a refund of 12.00 EUR, which I may not give.",
                NOW - 7 * MINUTE,
                "c4711",
                (
                    Said("user", "Yes please. And could you refund the shipping?", NOW - 7 * MINUTE),
                    Said("bot", HANDOFF_TEXT, NOW - 7 * MINUTE),
                ),
            ),
            HandoffCard(
                "ht11.ask",
                "shop",
                "Shop assistant",
                "49171-2233445",
                "A question about an order, not about a product.",
                NOW - 18 * MINUTE,
            ),
        ),
        (
            HandoffCard(
                "ht10.ask",
                "shop",
                "Shop assistant",
                "tom",
                "",
                NOW - 3 * HOUR,
                state="approved",
                decided_ms=NOW - 2 * HOUR,
                by="dashboard",
            ),
            HandoffCard(
                "ht9.ask",
                "support",
                "Support",
                "U04JH8PQ2",
                "",
                NOW - DAY,
                state="rejected",
                decided_ms=NOW - 20 * HOUR,
                by="ann",
                comment="Not without the receipt.",
            ),
        ),
    )


def wallet() -> WalletPage:
    """A wallet that was filled twice."""
    return WalletPage(
        configured=True,
        balance=from_usd("81.442906"),
        held=from_usd("0.0423"),
        purchased=from_usd("250"),
        consumed=from_usd("168.557094"),
        hard_limit=from_usd("0"),
        soft_limit=from_usd("20"),
        history=(
            WalletEvent(NOW - 2 * DAY, "top-up", from_usd("50"), "November"),
            WalletEvent(
                NOW - 9 * DAY, "correction", Money(-from_usd("0.25")), "reconciled by hand: call of 13 Nov"
            ),
            WalletEvent(NOW - 40 * DAY, "top-up", from_usd("200")),
        ),
        key="made-up-key",
        unknown=(
            UnknownCall(
                "t4711.2",
                NOW - 3 * HOUR,
                "support",
                "anthropic/claude-sonnet-4-6",
                from_usd("0.1102"),
                "cut off",
            ),
        ),
        set_aside=(SetAside("openai", "gpt-4o-mini", from_usd("0.002"), from_usd("0.0031"), NOW - 5 * HOUR),),
    )


def settings() -> SettingsPage:
    """The support bot's settings, with one fault."""
    return SettingsPage(
        "support",
        "Support",
        {
            "name": "Support",
            "enabled": "true",
            "description": "Answers questions about orders.",
            "llm_provider": "anthropic",
            "llm_model": "claude-sonnet-4-6",
            "system_prompt": "You help the customers of a small shop.\nBe brief and friendly.",
            "spending_cap_cents": "5000",
            "max_loop_iterations": "10",
            "max_tool_calls": "20",
            "max_tokens_per_turn": "8192",
            "timeout_ms": "90000",
            "conversation_max_messages": "20",
            "conversation_ttl_hours": "24",
            "rate_limit_per_minute": "60",
            "spending_cap_message": "Bot has reached its spending limit.",
        },
        ("anthropic", "openai", "gemini", "echo"),
        {"timeout_ms": "must be at most 60000"},
        "r1",
    )


def pages() -> dict[str, tuple[Frame, PageView]]:
    """Every page by a name, as in a shop at work."""
    rows = conversation_rows(14)
    outside = frame(signed_in=False)
    fault = "bots.yaml:14: bots.support.llm_modle: unknown field, did you mean llm_model?"
    choices = tuple(Choice(card.id, card.name) for card in bot_cards())
    return {
        "overview": (frame(), overview()),
        "overview-fault": (frame(config_fault=fault), overview()),
        "overview-fleet": (frame(), replace(overview(), daemons=daemon_rows())),
        "bot": (frame(), bot_page()),
        "conversations": (frame(), Conversations("support", "Support", rows, "1795341600000,c4698")),
        "transcript": (frame(), Transcript(rows[0], "support", "Support", talk(), 6)),
        "console": (frame(), ConsolePage(choices, "support", talk())),
        "usage-days": (frame(), usage()),
        "usage-bars": (frame(), usage(by_day=False)),
        "handoffs": (frame(), handoffs()),
        "wallet": (frame(), wallet()),
        "settings": (frame(), settings()),
        "login": (outside, LoginPage(fault="This link was used already. Make a token.")),
        "login-link": (outside, LoginPage(token="made-up-token")),  # noqa: S106 - made up
        "not-found": (
            frame(),
            Trouble(404, "There is no such page", "The bot may have been removed from bots.yaml."),
        ),
        "broken": (frame(), Trouble(500, "Something went wrong here", "It is in the log.")),
    }


def fresh_pages() -> dict[str, tuple[Frame, PageView]]:
    """Every page of a daemon that has nothing yet."""
    new, nothing = frame(handoffs_waiting=0), Money(0)
    spend = tuple(Spend(label, nothing) for label in ("Today", "7 days", "30 days"))
    bot = BotCard("hello", "Hello", "echo", "echo")
    empty = Days(days_until(TODAY, 30), ())
    row = ConversationRow("c1", "tom", "console", NOW, NOW, 0, nothing)
    return {
        "overview": (new, Overview(spend, empty, ())),
        "overview-one": (new, Overview(spend, empty, (bot,))),
        "bot": (new, BotPage(bot, 30, spend[2], empty)),
        "conversations": (new, Conversations("hello", "Hello", ())),
        "transcript": (new, Transcript(row, "hello", "Hello", ())),
        "console": (new, ConsolePage(())),
        "console-one": (new, ConsolePage((Choice("hello", "Hello"),), "hello")),
        "usage": (new, UsagePage(("bot",), TODAY, TODAY, (), UsageRow((), nothing, 0))),
        "usage-fault": (
            new,
            UsagePage(
                ("bot",),
                TODAY,
                "2020-01-01",
                (),
                UsageRow((), nothing, 0),
                fault="The last day is before the first.",
            ),
        ),
        "handoffs": (new, HandoffsPage(())),
        "wallet": (new, WalletPage(configured=False, key="made-up-key")),
        "settings": (
            new,
            SettingsPage("hello", "Hello", {}, read_only="bots.yaml cannot be written by the daemon."),
        ),
        "login": (frame(signed_in=False), LoginPage()),
    }
