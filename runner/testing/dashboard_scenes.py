"""Made-up figures for the dashboard's pages: a shop with five bots, and a daemon that was started just now.

Rule: always the same; the days' figures come from a fixed sequence and not from chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.money.amounts import PICO_PER_CENT, Money, from_usd
from runner.web.dashboard.figures import Breakdown, CacheFigures, Cap, Days, Figures, Series, Share, Spend
from runner.web.dashboard.views import (
    BotCard,
    BotPage,
    Choice,
    Connection,
    ConsolePage,
    ConversationRow,
    Conversations,
    Fact,
    Frame,
    HandoffCard,
    HandoffsPage,
    LastError,
    LoginPage,
    Overview,
    PageView,
    Said,
    SettingsPage,
    ToolRun,
    Transcript,
    Trouble,
    UsagePage,
    UsageRow,
    WalletEvent,
    WalletPage,
)
from runner.web.dashboard.wording import DAY, HOUR, MINUTE, days_until

NOW = 1_795_341_600_000
"""22 November 2026, 10:00 UTC."""
TODAY = "2026-11-22"
_WEEK = (100, 108, 96, 112, 131, 58, 41)
_WAVE = (0, 7, -4, 11, 3, -9, 14, -2, 5, -6, 9)


def daily(cents: int, number: int, start: int = 0) -> tuple[int, ...]:
    """Pico-dollars a day, around so many cents: less at week-ends, a little more each week."""
    return tuple(
        cents
        * PICO_PER_CENT
        * _WEEK[(at + start) % 7]
        * (100 + _WAVE[(at * 3 + start) % len(_WAVE)] * 2 + at)
        // 10_000
        + (at * 7_919 + start * 104_729) % 1_000_003
        for at in range(number)
    )


def days_of(number: int, **cents: int) -> Days:
    """So many days up to today, a series a name."""
    named = enumerate(cents.items())
    return Days(
        days_until(TODAY, number), tuple(Series(name, daily(each, number, at)) for at, (name, each) in named)
    )


def frame(**changes: object) -> Frame:
    """A session that may do all."""
    given: dict[str, object] = {"csrf": "made-up-csrf", "handoffs_waiting": 2, "version": "0.1.0", **changes}
    return Frame(NOW, **given)  # type: ignore[arg-type]


def _usd(text: str) -> Money:
    return from_usd(text)


def _bots() -> tuple[BotCard, ...]:
    up = Connection("telegram", "up", since_ms=NOW - 3 * DAY)
    return (
        BotCard(
            "support", "Support", "anthropic", "claude-sonnet-4-6", True,
            (up, Connection("slack", "degraded", "Slack asks for fewer messages; the next goes out in 4 s.", NOW - 2 * MINUTE)),
            Cap(_usd("37.418264"), _usd("0.0423"), _usd("0.1102"), _usd("50")), 412, 3, daily(210, 14),
        ),
        BotCard(
            "shop", "Shop assistant", "openai", "gpt-4o-mini", True, (Connection("whatsapp", "up", since_ms=NOW - DAY),),
            Cap(_usd("8.73102"), limit=_usd("10")), 1208, 0, daily(64, 14, 2),
        ),
        BotCard(
            "night-desk", "Night desk", "gemini", "gemini-2.5-flash", True,
            (Connection("discord", "refused", "Discord does not take the bot's token. Make a new one and put it into bots.yaml.", NOW - 5 * HOUR),),
            Cap(_usd("1.2"), limit=_usd("25")), 0, 17, daily(18, 14, 4),
            LastError("discord: 4004 authentication failed", NOW - 5 * HOUR),
        ),
        BotCard(
            "homework", "Homework helper", "anthropic", "claude-haiku-4-5", True, (up,),
            Cap(_usd("5"), limit=_usd("5")), 96, 0, daily(33, 14, 6),
            LastError("The cap of 5.00 USD is reached; 11 messages were answered with the spending cap's text.", NOW - 40 * MINUTE),
        ),
        BotCard("hello", "Hello", "echo", "echo", False, (), Cap(), 0, 0, (0,) * 14),
    )  # fmt: skip


def _conversations(number: int) -> tuple[ConversationRow, ...]:
    users = ("maria.kowalska", "49171-2233445", "U04JH8PQ2", "tom", "a-user-with-a-remarkably-long-name@example.com")
    return tuple(
        ConversationRow(
            f"c{4711 - at}", users[at % len(users)], ("telegram", "slack")[at % 2], NOW - at * HOUR - DAY,
            NOW - at * at * 9 * MINUTE - MINUTE, 4 + at * 5 % 23, Money(31_400_000_000 * (1 + at * 7 % 11)), 3_120 + at * 977,
        )
        for at in range(number)
    )  # fmt: skip


def _talk() -> tuple[Said, ...]:
    lookup = ToolRun("orders__get_order", '{"number": "A-1042"}', '{"state": "shipped", "carrier": "DPD", "eta": "2026-11-24"}', 312, True)
    failed = ToolRun("orders__refund", '{"number": "A-1042", "amount": "12.00"}', "403: refunds need a person", 98, False)
    return (
        Said("user", "Hi! Where is my order A-1042?", NOW - 9 * MINUTE),
        Said(
            "bot", "It left our warehouse yesterday with DPD and should be with you on Tuesday, 24 November.\n\nShall I send you the tracking link?",
            NOW - 9 * MINUTE + 4200,
            Figures(3_412, 148, _usd("0.004216"), 2_048, 3_870, 2, "anthropic", "claude-sonnet-4-6", "standard", "task: orders",
                    Breakdown(1_210, 890, 640, 84, 588, 148)),
            (lookup,),
        ),
        Said("user", "Yes please. And could you refund the shipping?", NOW - 7 * MINUTE),
        Said(
            "bot", "Here it is: https://example.com/track/A-1042\n\nI cannot refund the shipping by myself, so I have asked a colleague. You will hear from us today.",
            NOW - 7 * MINUTE + 6100,
            Figures(4_077, 203, _usd("0.0061083"), 3_072, 5_940, 2, "anthropic", "claude-sonnet-4-6", "standard", "sticky",
                    Breakdown(1_210, 890, 1_480, 61, 436, 203)),
            (failed,), "tool_failed",
        ),
    )  # fmt: skip


def overview() -> Overview:
    """A busy morning."""
    days = days_of(30, support=210, shop=64, homework=33, **{"night-desk": 18})
    return Overview(
        (
            Spend("Today", _usd("2.31402"), 731, _usd("2.9"), "yesterday by this time"),
            Spend("7 days", _usd("21.08113"), 6_120, _usd("18.6"), "the 7 days before"),
            Spend("30 days", days.total(), 24_980, _usd("70.1"), "the 30 days before"),
        ),
        days, _bots(), 1_716, _usd("0.0423"),
    )  # fmt: skip


def bot_page() -> BotPage:
    """The support bot."""
    days = days_of(30, chat=150, summary=26, classify=9, transcribe=14, **{"workflow:refund": 21})
    total = days.total()
    number = len(days.days)
    shares = (
        ("anthropic/claude-sonnet-4-6", 71, 3_210), ("anthropic/claude-haiku-4-5", 24, 8_006), ("openai/gpt-4o-mini", 5, 640),
    )  # fmt: skip
    return BotPage(
        _bots()[0], 30, Spend("30 days", total, 11_856, _usd("61.2"), "the 30 days before"), days, 48_210_000, 2_904_112, 37,
        tuple(Share(name, Money(total * part // 100), calls) for name, part, calls in shares),
        tuple(Share(row.user, Money(total * (9 - at) // 100), 240 - at * 31) for at, row in enumerate(_conversations(5))),
        (
            Share("standard", Money(total * 70 // 100), 3_105, note="task: orders; sticky"),
            Share("small", Money(total * 25 // 100), 8_000, note="short question"),
            Share("fallback", Money(total * 5 // 100), 751, note="429 from anthropic"),
        ),
        CacheFigures(31_400_000, 48_210_000, days.days, tuple(None if at == 11 else 52 + at * 2 // 3 + _WAVE[at % len(_WAVE)] // 3 for at in range(number))),
        (
            Fact("Model calls a message", "10"), Fact("Tool calls a message", "20"), Fact("Output tokens a call", "8,192"),
            Fact("Time for a message", "30 s"), Fact("Messages a minute", "60"), Fact("Billing", "wallet"),
        ),
        _conversations(6),
    )  # fmt: skip


def usage(by_day: bool = True) -> UsagePage:
    """What the explorer answers."""
    bots: Mapping[str, Sequence[int]] = {card.id: daily(210 - 40 * at, 14, at) for at, card in enumerate(_bots())}
    days = days_until(TODAY, 14)
    by_bot = [
        UsageRow((name, feature), Money(sum(values) * part // 100), 2_000 - part * 9, 12, 900_000 + part, 41_000, 500_000)
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
        (), Money(sum(row.cost for row in rows)), sum(row.calls for row in rows), sum(row.retries for row in rows),
        sum(row.tokens_input for row in rows), sum(row.tokens_output for row in rows), sum(row.cache_read for row in rows),
    )  # fmt: skip
    chart = Days(days, tuple(Series(name, tuple(values)) for name, values in bots.items())) if by_day else None
    return UsagePage(
        ("day", "bot") if by_day else ("bot", "feature"), days[0], TODAY, tuple(rows[:40]), total, chart, max(0, len(rows) - 40)
    )  # fmt: skip


def handoffs() -> HandoffsPage:
    """Two to decide, two decided."""
    return HandoffsPage(
        (
            HandoffCard("h12", "support", "Support", "Night desk", "maria.kowalska", "The customer asks for a refund of 12.00 EUR, which I may not give.",
                        NOW - 7 * MINUTE, "c4711", "Yes please. And could you refund the shipping?", NOW + 23 * MINUTE),
            HandoffCard("h11", "shop", "Shop assistant", "Support", "49171-2233445", "A question about an order, not about a product.", NOW - 18 * MINUTE),
        ),
        (
            HandoffCard("h10", "shop", "Shop assistant", "Support", "tom", "", NOW - 3 * HOUR, state="approved", decided_ms=NOW - 2 * HOUR),
            HandoffCard("h9", "support", "Support", "Night desk", "U04JH8PQ2", "", NOW - DAY, state="expired", decided_ms=NOW - 20 * HOUR),
        ),
    )  # fmt: skip


def wallet() -> WalletPage:
    """A wallet that was filled twice."""
    return WalletPage(
        True, _usd("81.442906"), _usd("0.0423"), _usd("250"), _usd("168.557094"), _usd("0"), _usd("20"),
        (
            WalletEvent(NOW - 2 * DAY, "top-up", _usd("50"), "November"),
            WalletEvent(NOW - 9 * DAY, "correction", Money(-_usd("0.25")), "reconciled by hand: call of 13 Nov"),
            WalletEvent(NOW - 40 * DAY, "top-up", _usd("200")),
        ),
        "made-up-key",
    )  # fmt: skip


def settings() -> SettingsPage:
    """The support bot's settings, with one fault."""
    return SettingsPage(
        "support", "Support",
        {
            "name": "Support", "enabled": "true", "description": "Answers questions about orders.", "llm_provider": "anthropic",
            "llm_model": "claude-sonnet-4-6", "system_prompt": "You help the customers of a small shop.\nBe brief and friendly.",
            "spending_cap_cents": "5000", "max_loop_iterations": "10", "max_tool_calls": "20", "max_tokens_per_turn": "8192",
            "timeout_ms": "90000", "conversation_max_messages": "20", "conversation_ttl_hours": "24", "rate_limit_per_minute": "60",
            "spending_cap_message": "Bot has reached its spending limit.",
        },
        ("anthropic", "openai", "gemini", "echo"), {"timeout_ms": "must be at most 60000"}, "r1",
    )  # fmt: skip


def pages() -> dict[str, tuple[Frame, PageView]]:
    """Every page by a name, as in a shop at work."""
    rows = _conversations(14)
    outside = frame(signed_in=False)
    fault = "bots.yaml:14: bots.support.llm_modle: unknown field, did you mean llm_model?"
    choices = tuple(Choice(card.id, card.name) for card in _bots())
    return {
        "overview": (frame(), overview()),
        "overview-fault": (frame(config_fault=fault), overview()),
        "bot": (frame(), bot_page()),
        "conversations": (frame(), Conversations("support", "Support", rows, "1795341600000,c4698")),
        "transcript": (frame(), Transcript(rows[0], "support", "Support", _talk(), 6)),
        "console": (frame(), ConsolePage(choices, "support", _talk())),
        "usage-days": (frame(), usage()),
        "usage-bars": (frame(), usage(by_day=False)),
        "handoffs": (frame(), handoffs()),
        "wallet": (frame(), wallet()),
        "settings": (frame(), settings()),
        "login": (outside, LoginPage(fault="This link was used already. Make a token.")),
        "login-link": (outside, LoginPage(token="made-up-token")),  # noqa: S106 - made up
        "not-found": (frame(), Trouble(404, "There is no such page", "The bot may have been removed from bots.yaml.")),
        "broken": (frame(), Trouble(500, "Something went wrong here", "It is in the log.")),
    }  # fmt: skip


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
        "usage-fault": (new, UsagePage(("bot",), TODAY, "2020-01-01", (), UsageRow((), nothing, 0), fault="The last day is before the first.")),
        "handoffs": (new, HandoffsPage(())),
        "wallet": (new, WalletPage(configured=False, key="made-up-key")),
        "settings": (new, SettingsPage("hello", "Hello", {}, read_only="bots.yaml cannot be written by the daemon.")),
        "login": (frame(signed_in=False), LoginPage()),
    }  # fmt: skip
