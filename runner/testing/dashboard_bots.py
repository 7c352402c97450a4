"""Made-up bots for the dashboard's pages: what they cost day by day, what was said to them.

Rule: always the same; the days' figures come from a fixed sequence and not from chance.
"""

from __future__ import annotations

from dataclasses import replace

from runner.advice.counsel import Advice, Kind
from runner.money.amounts import PICO_PER_CENT, Money, from_usd
from runner.money.savings import Savings
from runner.testing.dashboard_flows import workflow_card
from runner.web.dashboard.figures import Breakdown, CacheFigures, Cap, Days, Figures, Series, Share, Spend
from runner.web.dashboard.fleet_view import DaemonRow
from runner.web.dashboard.views import (
    BotCard,
    BotPage,
    Connection,
    ConversationRow,
    Fact,
    Frame,
    LastError,
    Overview,
    Rules,
    Said,
    ToolRun,
)
from runner.web.dashboard.wording import DAY, HOUR, MINUTE, days_until

NOW = 1_795_341_600_000
"""22 November 2026, 10:00 UTC."""
TODAY = "2026-11-22"
_WEEK = (100, 108, 96, 112, 131, 58, 41)
_SUNDAY_OFF = 11
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


def bot_cards() -> tuple[BotCard, ...]:
    """Five bots: well, near its cap, refused, at its cap, and switched off."""
    up = Connection("telegram", "up", since_ms=NOW - 3 * DAY)
    slack = "Slack asks for fewer messages; the next goes out in 4 s."
    discord = "Discord does not take the bot's token. Make a new one and put it into bots.yaml."
    reached = "The cap of 5.00 USD is reached; 11 messages were answered with the spending cap's text."
    return (
        BotCard(
            "support",
            "Support",
            "anthropic",
            "claude-sonnet-4-6",
            connections=(up, Connection("slack", "degraded", slack, NOW - 2 * MINUTE)),
            cap=Cap(_usd("37.418264"), _usd("0.0423"), _usd("0.1102"), _usd("50")),
            messages_today=412,
            waiting=3,
            spark=daily(210, 14),
        ),
        BotCard(
            "shop",
            "Shop assistant",
            "openai",
            "gpt-4o-mini",
            connections=(Connection("whatsapp", "up", since_ms=NOW - DAY),),
            cap=Cap(_usd("8.73102"), limit=_usd("10")),
            messages_today=1208,
            spark=daily(64, 14, 2),
        ),
        BotCard(
            "night-desk",
            "Night desk",
            "gemini",
            "gemini-2.5-flash",
            connections=(Connection("discord", "refused", discord, NOW - 5 * HOUR),),
            cap=Cap(_usd("1.2"), limit=_usd("25")),
            waiting=17,
            spark=daily(18, 14, 4),
            last_error=LastError("discord: 4004 authentication failed", NOW - 5 * HOUR),
        ),
        BotCard(
            "homework",
            "Homework helper",
            "anthropic",
            "claude-haiku-4-5",
            connections=(up,),
            cap=Cap(_usd("5"), limit=_usd("5")),
            messages_today=96,
            spark=daily(33, 14, 6),
            last_error=LastError(reached, NOW - 40 * MINUTE),
        ),
        BotCard("hello", "Hello", "echo", "echo", enabled=False, spark=(0,) * 14),
    )


def conversation_rows(number: int) -> tuple[ConversationRow, ...]:
    """So many conversations, the latest first."""
    users = (
        "maria.kowalska",
        "49171-2233445",
        "U04JH8PQ2",
        "tom",
        "a-user-with-a-remarkably-long-name@example.com",
    )
    return tuple(
        ConversationRow(
            f"c{4711 - at}",
            users[at % len(users)],
            ("telegram", "slack")[at % 2],
            NOW - at * HOUR - DAY,
            NOW - at * at * 9 * MINUTE - MINUTE,
            4 + at * 5 % 23,
            Money(31_400_000_000 * (1 + at * 7 % 11)),
            3_120 + at * 977,
        )
        for at in range(number)
    )


def talk() -> tuple[Said, ...]:
    """A question, a tool that worked, and one that did not."""
    shipped = '{"state": "shipped", "carrier": "DPD", "eta": "2026-11-24"}'
    lookup = ToolRun("orders__get_order", '{"number": "A-1042"}', shipped, 312, ok=True)
    asked = '{"number": "A-1042", "amount": "12.00"}'
    failed = ToolRun("orders__refund", asked, "403: refunds need a person", 98, ok=False)
    first = (
        "It left our warehouse yesterday with DPD and should be with you on Tuesday, 24 November.\n\n"
        "Shall I send you the tracking link?"
    )
    second = (
        "Here it is: https://example.com/track/A-1042\n\nI cannot refund the shipping by myself, so I have asked "
        "a colleague. You will hear from us today."
    )
    took = Figures(
        3_412,
        148,
        _usd("0.004216"),
        2_048,
        3_870,
        2,
        "anthropic",
        "claude-sonnet-4-6",
        "standard",
        "task: orders",
        Breakdown(1_210, 890, 640, 84, 588, 148),
    )
    took_then = replace(
        took,
        tokens_input=4_077,
        tokens_output=203,
        cost=_usd("0.0061083"),
        cache_read=3_072,
        latency_ms=5_940,
        route_reason="sticky",
        breakdown=Breakdown(1_210, 890, 1_480, 61, 436, 203),
    )
    return (
        Said("user", "Hi! Where is my order A-1042?", NOW - 9 * MINUTE),
        Said("bot", first, NOW - 9 * MINUTE + 4200, took, (lookup,)),
        Said("user", "Yes please. And could you refund the shipping?", NOW - 7 * MINUTE),
        Said("bot", second, NOW - 7 * MINUTE + 6100, took_then, (failed,), "tool_failed"),
    )


def advices() -> tuple[Advice, ...]:
    """A jump and what would have cost less."""
    quality = "quality is not measured: try it with real questions first"
    model = "answer with claude-haiku-4-5 in place of claude-sonnet-4-6"
    return (
        Advice(
            Kind.JUMP,
            "support",
            "input tokens a call: 6,210, usually 2,480 (+150 %), since 2026-11-18",
            "the last 7 days (2,916 messages, 5,022 calls) against the median of 28 days before",
        ),
        Advice(
            Kind.MODEL,
            "support",
            f"{model}; {quality}",
            "11,856 calls with 51,114,112 tokens cost 68.40 USD, at its prices 22.80 USD",
            _usd("45.6"),
            "bots.support",
            "llm_model: claude-haiku-4-5",
        ),
        Advice(
            Kind.CAP,
            "shop",
            "limit what it may spend in a day: it has no cap",
            "the dearest of 30 days cost 1.92 USD (2026-11-12), 95 % of them at most 1.71 USD",
            None,
            "bots.shop",
            "caps: {bot: {day_cents: 342}}",
        ),
    )


def overview() -> Overview:
    """A busy morning."""
    days = days_of(30, support=210, shop=64, homework=33, **{"night-desk": 18})
    return Overview(
        (
            Spend("Today", _usd("2.31402"), 731, _usd("2.9"), "yesterday by this time"),
            Spend("7 days", _usd("21.08113"), 6_120, _usd("18.6"), "the 7 days before"),
            Spend("30 days", days.total(), 24_980, _usd("70.1"), "the 30 days before"),
        ),
        days,
        bot_cards(),
        1_716,
        _usd("0.0423"),
        saved=Savings(_usd("61.20311"), _usd("4.11"), _usd("1.871"), 412),
        advice=advices(),
    )


def daemon_rows() -> tuple[DaemonRow, ...]:
    """Three that run, one of them slow, and one that was killed."""
    return (
        DaemonRow(
            "botrunner-7d9c6b5f4-k2x8p/1",
            "1.0.0",
            NOW - 3 * DAY,
            here=True,
            up=4,
            connections=4,
            turns=6,
            waiting=9,
            lag_ms=3,
            holds=("support/telegram", "homework/telegram", "work schedules"),
        ),
        DaemonRow(
            "botrunner-7d9c6b5f4-q5v7t/1",
            "1.0.0",
            NOW - 2 * HOUR,
            up=3,
            connections=4,
            turns=4,
            waiting=9,
            lag_ms=5,
            holds=("shop/discord", "work batches", "work alerts", "work upkeep"),
        ),
        DaemonRow(
            "botrunner-7d9c6b5f4-z8m2n/1", "1.0.0", NOW - HOUR, up=2, connections=2, turns=31, lag_ms=1_840
        ),
        DaemonRow("botrunner-6f8b7c9d5-w4j6h/1", "0.9.2", NOW - 20 * MINUTE, gone=True),
    )


def bot_page() -> BotPage:
    """The support bot."""
    days = days_of(30, chat=150, summary=26, classify=9, transcribe=14, **{"workflow:refund": 21})
    total = days.total()
    number = len(days.days)
    shares = (
        ("anthropic/claude-sonnet-4-6", 71, 3_210),
        ("anthropic/claude-haiku-4-5", 24, 8_006),
        ("openai/gpt-4o-mini", 5, 640),
    )
    return BotPage(
        bot_cards()[0],
        30,
        Spend("30 days", total, 11_856, _usd("61.2"), "the 30 days before"),
        days,
        48_210_000,
        2_904_112,
        37,
        tuple(Share(name, Money(total * part // 100), calls) for name, part, calls in shares),
        tuple(
            Share(row.user, Money(total * (9 - at) // 100), 240 - at * 31)
            for at, row in enumerate(conversation_rows(5))
        ),
        (
            Share(
                "standard",
                Money(total * 70 // 100),
                3_105,
                note="anthropic/claude-sonnet-4-6; 26 % of the calls",
            ),
            Share(
                "small", Money(total * 25 // 100), 8_000, note="anthropic/claude-haiku-4-5; 67 % of the calls"
            ),
            Share("fallback", Money(total * 5 // 100), 751, note="6 % of the calls"),
        ),
        CacheFigures(
            31_400_000,
            48_210_000,
            days.days,
            tuple(
                None if at == _SUNDAY_OFF else 52 + at * 2 // 3 + _WAVE[at % len(_WAVE)] // 3
                for at in range(number)
            ),
        ),
        (
            Fact("Model calls a message", "10"),
            Fact("Tool calls a message", "20"),
            Fact("Output tokens a call", "8,192"),
            Fact("Time for a message", "30 s"),
            Fact("Messages a minute", "60"),
            Fact("Billing", "wallet"),
        ),
        conversation_rows(6),
        saved=Savings(_usd("52.810442"), _usd("4.11")),
        advice=advices()[:2],
        rules=Rules(
            (
                Fact("rule 1: keyword refund or complaint", "standard"),
                Fact("task faq", "small"),
                Fact("otherwise", "small"),
            ),
            (
                Fact("small (default)", "anthropic/claude-haiku-4-5"),
                Fact("standard", "anthropic/claude-sonnet-4-6"),
            ),
            (
                "A conversation stays with the tier that answered first.",
                "It is raised to standard after: failing_tools, refusal, repeated_question.",
            ),
        ),
        workflow=workflow_card(NOW),
    )
