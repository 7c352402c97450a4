"""The dashboard's pages over a real socket: what they show, who may look, what is told where nothing is there."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from runner.bots import Escalation, ModelChoice, RouteRule, Routing, Signal, Tier
from runner.clock import utc_day
from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.money.amounts import Money, from_cents, from_usd
from runner.money.prices import Price, PriceBook, Rates
from runner.money.reservation import ReservationState
from runner.money.scopes import WALLET
from runner.money.usage import Usage
from runner.ports.books import Deposit, HoldRequest, Quarantine, Settlement
from runner.ports.observer import ConnectionChanged, Fault, TurnFinished
from runner.ports.reloads import ConfigState
from runner.testing.scenes import a_bot
from runner.web.dashboard_pages.bot import CONVERSATIONS_A_PAGE
from runner.web.dashboard_pages.routes import PLACES
from tests.contract.stores.examples import WANTED, answer, attempt, inbound, scope
from tests.unit.web.dashboard_pages.browsing import Person
from tests.unit.web.web_stage import CUSTOM, Stage

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
BOT = a_bot("shop", name=HOSTILE, channels=(CUSTOM,), cap=from_cents(500))
OFF = a_bot("off", enabled=False)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage((BOT, OFF)) as stage:
        yield stage


async def fill(stage: Stage) -> str:
    """A conversation of the shop with one answer, one call of unknown fate, a top-up, a model set aside; its id."""
    store, now_ms = stage.store, stage.clock.now_ms()
    report = {
        "turn_id": "t1",
        "route": {"provider": "p", "model": HOSTILE, "route": "default", "reason": "because"},
        "tokens": {"cache_read": 50},
        "tool_calls": [
            {"toolName": HOSTILE, "arguments": HOSTILE, "result": HOSTILE, "latencyMs": 5, "success": False}
        ],
        "token_breakdown": {"systemPrompt": 60, "currentMessage": 40, "llmOutput": 600},
    }
    said = (message_to_json(UserMessage(HOSTILE)), message_to_json(AssistantMessage(HOSTILE)))
    message = inbound(bot="shop", lane="l1", at_ms=now_ms)
    await answer(store, message, *said, user=HOSTILE, report=json.dumps(report), at_ms=now_ms)
    line = (await store.conversations("shop", 1))[0]
    about: dict[str, Any] = {
        "bot": "shop",
        "user": HOSTILE,
        "conversation": line.id,
        "time_ms": now_ms,
        "model": HOSTILE,
    }
    scopes = (scope("bot:shop", None), scope(WALLET, None, funded=True))
    await store.deposit(Deposit("k", from_usd("20"), now_ms, HOSTILE))
    await store.hold(HoldRequest(attempt("t1.1", **about), scopes, WANTED))
    usage = Usage(100, 600, 50)
    await store.settle(Settlement("t1.1", ReservationState.SETTLED, Money(10**11), usage))
    await store.hold(HoldRequest(attempt("t2.1", turn="t2", **about), scopes, WANTED))
    await store.settle(Settlement("t2.1", ReservationState.UNKNOWN, Money(10**10), why=HOSTILE))
    await store.quarantine(Quarantine("p", HOSTILE, "t1.1", Money(1), Money(2), now_ms))
    return line.id


async def test_every_page_shows_its_figures_and_keeps_strangers_texts_texts(stage: Stage) -> None:
    conversation, person = await fill(stage), await Person(stage).sign_in()
    shown = {
        "/": ("$0.1000", "2 model calls", "$0.0100 stands against caps", "1 model set aside", "Switched off"),
        "/bots/shop": ("$0.1000", "50 %", "of $5.00", "chat", "Messages a minute"),
        "/bots/shop/conversations": ("telegram", "$0.1100"),
        f"/conversations/{conversation}": ("$0.1100", "system prompt 60", "failed in 5 ms", "because"),
        "/console": ("Say something",),
        "/usage": ("$0.1000", "100 in, 600 out"),
        "/wallet": ("$19.89", "$20.00", "$0.0100", "Put right", "Call it again"),
        "/bots/shop/settings": ("System prompt",),
        "/handoffs": ("Nothing to decide",),
    }
    for path, texts in shown.items():
        seen = await person.look(path)
        assert seen.status == 200, path
        for text in texts:
            assert text in seen.words, (path, text)
        assert not [one for one in seen.page.all("img") if one.given.get("src") == "x"], path
        assert "alert(1)</script>" not in seen.text, path
        assert "49" not in [one.text() for one in seen.page.all("h1", "h3")], path
        links = [one.given.get(name) or "/" for one in seen.page.all() for name in ("href", "src", "action")]
        assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in links), path
        assert "http://" not in seen.text, path
        assert seen.headers["Cache-Control"] == "no-store"


async def test_what_was_saved_stands_on_the_pages(stage: Stage) -> None:
    rates = Rates(input=10**12, output=10**12, cache_read=10**11)
    stage.book = PriceBook("test", {("openai", HOSTILE): Price(HOSTILE, "openai", rates)})
    await fill(stage)
    person = await Person(stage).sign_in()
    saved = "$0.000045 by caching"
    for path in ("/", "/bots/shop", "/usage"):
        assert saved in (await person.look(path)).words, path
    assert "saved_usd" in (await person.look("/usage.csv")).text.splitlines()[0]


async def test_a_bots_page_says_by_which_rules_its_models_answer_and_what_each_route_cost() -> None:
    tiers = (Tier("small", ModelChoice("p", "mini")), Tier("strong", ModelChoice("p", "maxi")))
    rules = (RouteRule("strong", keywords=(HOSTILE,)),)
    escalation = Escalation("strong", frozenset({Signal.REFUSAL}))
    routing = Routing(tiers, "small", tasks={"faq": "small"}, rules=rules, escalation=escalation)
    async with Stage((replace(BOT, routing=routing), OFF)) as stage:
        for number, route in enumerate(("small", "small", "small", "fallback")):
            about = attempt(
                f"t{number}.1", turn=f"t{number}", bot="shop", route=route, time_ms=stage.clock.now_ms()
            )
            await stage.store.hold(HoldRequest(about, (scope("bot:shop", None),), WANTED))
            await stage.store.settle(
                Settlement(about.id, ReservationState.SETTLED, Money(10**11), Usage(1, 1))
            )
        person = await Person(stage).sign_in()
        assert "Which model answers" not in (await person.look("/bots/off")).words, "it has one model"
        seen = await person.look("/bots/shop")
        for text in (
            f"rule 1: keyword {HOSTILE}",
            "task faq",
            "small (default)",
            "p/maxi",
            "It is raised to strong after: refusal.",
            "p/mini; 75 % of the calls",
            "25 % of the calls",
            "$0.3000",
        ):
            assert text in seen.words, text
        assert "alert(1)</script>" not in seen.text


async def test_what_would_have_cost_less_stands_on_the_pages(stage: Stage) -> None:
    choice, now_ms = BOT.choice, stage.clock.now_ms()
    rates = {choice.model: 4 * 10**12, HOSTILE: 10**12}
    stage.book = PriceBook(
        "test",
        {
            (choice.provider, name): Price(name, choice.provider, Rates(rate, rate))
            for name, rate in rates.items()
        },
    )
    about: dict[str, Any] = {
        "bot": "shop",
        "provider": choice.provider,
        "model": choice.model,
        "time_ms": now_ms,
    }
    await stage.store.hold(HoldRequest(attempt("t1.1", **about), (scope("bot:shop", None),), WANTED))
    usage = Usage(1_000_000)
    await stage.store.settle(Settlement("t1.1", ReservationState.SETTLED, from_usd("4"), usage))
    person = await Person(stage).sign_in()
    for path in ("/", "/bots/shop"):
        [card] = [
            one for one in (await person.look(path)).page.all("section") if one.given.get("id") == "advice"
        ]
        [row] = [one.text() for one in card.all("tr")][1:]
        assert "1 call with 1,000,000 tokens cost 4.00 USD, at its prices 1.00 USD" in row, path
        assert "llm_model: " in row
        assert row.endswith("$3.00")
    # A cheaper model is gone from the book: what was found before is not shown again.
    stage.book = PriceBook("test", {})
    assert "Would have saved" not in (await person.look("/")).words
    assert "Would have saved" not in (await person.look("/bots/off")).words


async def test_who_is_not_signed_in_is_led_to_the_login_and_back(stage: Stage) -> None:
    nobody = Person(stage)
    for method, path in PLACES:
        there = (
            path.replace("{bot_id}", "shop").replace("{conversation_id}", "c1").replace("{handoff_id}", "h")
        )
        seen = await (nobody.look(f"{there}?days=7") if method == "GET" else nobody.send(there))
        assert seen.status == 303, path
        assert seen.headers["Location"].startswith("/login"), path
    assert (await nobody.look("/bots/shop?days=7")).headers[
        "Location"
    ] == "/login?after=%2Fbots%2Fshop%3Fdays%3D7"
    assert (await nobody.look("/events")).status == 401


async def test_what_is_not_there_is_told_on_a_page(stage: Stage) -> None:
    person = await Person(stage).sign_in()
    for path in (
        "/bots/none",
        "/bots/none/settings",
        "/bots/none/conversations",
        "/conversations/none",
        "/console?bot=none",
    ):
        seen = await person.look(path)
        assert (seen.status, "There is no" in seen.words) == (404, True), path
    nowhere = await person.look("/nowhere", Accept="text/html")
    assert (nowhere.status, "There is no such page" in nowhere.words) == (404, True)
    assert (await person.look("/nowhere")).headers["Content-Type"].startswith("application/json")
    assert (
        (await person.look("/api/nowhere", Accept="text/html"))
        .headers["Content-Type"]
        .startswith("application/json")
    )
    posted = await person.send("/usage", headers={"Origin": stage.url, "Accept": "text/html"})
    assert (posted.status, posted.headers["Allow"]) == (405, "GET,HEAD")
    assert "That cannot be done here" in posted.words
    assert (await person.look("/bots/shop/conversations?before=x")).status == 400
    off = await person.look("/console?bot=off")
    assert (off.status, off.notices) == (200, ["That bot is switched off."])


async def test_a_fault_of_ours_is_a_page_too_and_is_noted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await Person(stage).sign_in()

    async def broken(*_: object) -> None:
        raise ValueError("the secret of the house is 42")

    monkeypatch.setattr(stage.store, "deposits", broken)
    seen = await person.look("/wallet")
    assert (seen.status, "Something went wrong here" in seen.words) == (500, True)
    assert "42" not in seen.words
    assert [fault.where for fault in stage.observer.of(Fault)] == ["http /wallet"]


async def test_usage_is_asked_for_in_any_way_and_told_where_it_cannot_be_answered(stage: Stage) -> None:
    await fill(stage)
    person = await Person(stage).sign_in()
    seen = await person.look("/usage?group_by=bot&group_by=user,model&group_by=bot")
    assert [one.text() for one in seen.page.all("th")][:3] == ["Bot", "User", "Model"]
    by_day = await person.look("/usage?group_by=day")
    assert [one.given["id"] for one in by_day.page.all("section") if "id" in one.given] == ["chart", "table"]
    for asked, why in {
        "group_by=colour": "cannot be grouped by colour",
        "from=yesterday": "A day is written as",
        "from=2026-01-02&to=2026-01-01": "before the first",
        "from=2020-01-01&to=2026-01-01": "At most 366 days",
        "to=0001-01-01": "A day is written as",
    }.items():
        wrong = await person.look(f"/usage?{asked}")
        assert (wrong.status, why in wrong.words) == (400, True), asked
        assert (await person.look(f"/usage.csv?{asked}")).status == 400
    kept = await person.look("/usage?from=nonsense&to=2026-01-01")
    assert (kept.field("from"), kept.field("to")) == ("nonsense", "2026-01-01")
    csv = await person.look("/usage.csv?group_by=bot,day")
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert csv.text.splitlines()[1].startswith(f"shop,{utc_day(stage.clock.now_ms())},0.10,")


async def test_conversations_come_page_by_page(stage: Stage) -> None:
    for number in range(CONVERSATIONS_A_PAGE + 3):
        message = inbound(f"e{number}", f"lane-{number}", "shop")
        await answer(stage.store, message, message_to_json(UserMessage("hi")), user=f"user-{number:02}")
    person = await Person(stage).sign_in()
    first = await person.look("/bots/shop/conversations")
    older = next(one.given["href"] for one in first.page.all("a") if one.text() == "Older conversations")
    second = await person.look(older or "")
    rows = [
        [one.text() for one in page.page.all("th") if one.given["scope"] == "row"] for page in (first, second)
    ]
    assert [len(row) for row in rows] == [CONVERSATIONS_A_PAGE, 3]
    assert len({*rows[0], *rows[1]}) == CONVERSATIONS_A_PAGE + 3
    assert "Older conversations" not in second.words


async def test_what_is_odd_stands_on_the_page(stage: Stage) -> None:
    stage.reloads.state = ConfigState(stage.clock.now_ms(), ("bots.yaml:3: oh",), ("server.port",))
    stage.last_errors.note(ConnectionChanged("shop", "telegram", "refused", "the token is not good"))
    person = await Person(stage).sign_in()
    seen = await person.look("/")
    assert "bots.yaml:3: oh" in seen.words
    assert "A restart brings what bots.yaml says of server.port." in seen.words
    assert "telegram is refused: the token is not good" in seen.words
    for number in range(3):
        stage.last_errors.note(Fault("turn", f"fault {number}", "shop"))
    finished = TurnFinished("shop", "c", "c1", "t1", "answered", 1, 0, Money(0), 1)
    stage.last_errors.note(finished)
    assert "turn: fault 2" in (await person.look("/bots/shop")).words
    stage.last_errors.note(replace(finished, stop_reason="timeout", detail="x" * 1000))
    told = (await person.look("/bots/shop")).words
    assert "a message was not answered in time: xxx" in told
    assert "x" * 300 not in told


async def test_pages_and_what_they_load_go_out_packed(stage: Stage) -> None:
    person = await Person(stage).sign_in()
    for path in ("/", "/static/dashboard/parts.css"):
        async with stage.http.get(path, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip", path
    async with stage.http.get("/", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
    assert person.csrf
