"""The admin API: its tokens, its bodies with all their faults at once, its limits; and no secret in what it says."""

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import ConnectionState, Delivery, DeliveryState
from runner.bots import Secret
from runner.money.amounts import from_cents
from runner.ports.definitions import Conflict
from runner.ports.observer import Fault
from runner.ports.tool_servers import ServedTool, ToolAnswer
from runner.testing.definitions import MemoryDefinitions
from runner.testing.scenes import a_bot
from runner.web.api.talking import TESTS_PER_MINUTE
from runner.web.bodies import MAX_BODY
from tests.unit.web.web_stage import CONSOLE, CUSTOM, GUARDED, Stage, bearer

SHOP = "/api/bots/shop"
CALLS = [
    ("GET", "/api/status", "read"),
    ("GET", "/api/bots", "read"),
    ("GET", SHOP, "read"),
    ("PATCH", SHOP, "admin"),
    ("POST", f"{SHOP}/test", "admin"),
    ("POST", f"{SHOP}/chat", "admin"),
    ("POST", f"{SHOP}/activate", "admin"),
    ("POST", f"{SHOP}/deactivate", "admin"),
    ("POST", "/api/bots", "admin"),
    ("DELETE", SHOP, "admin"),
]


def writes(stage: Stage) -> list[Any]:
    """What was asked of bots.yaml."""
    assert isinstance(stage.file, MemoryDefinitions)
    return stage.file.writes


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_each_call_needs_its_token(method: str, path: str, scope: str) -> None:
    async with Stage() as stage:
        none = await stage.ask(method, path, json={"message": "x"})
        forged = await stage.ask(method, path, headers=bearer(secret=b"x" * 32), json={"message": "x"})
        for status, body, headers in (none, forged):
            assert (status, body["error"]["code"]) == (401, "unauthorized")
            assert headers["WWW-Authenticate"] == "Bearer"
        status, body, _ = await stage.ask(method, path, headers=bearer("read"), json={"message": "x"})
        if scope == "admin":
            assert (status, body["error"]["code"]) == (403, "forbidden")
            assert not stage.told
            assert not writes(stage)
        else:
            assert status == 200


async def test_a_token_is_asked_for_before_anything_is_told() -> None:
    async with Stage() as stage:
        for path in ("/api/bots/nobody", "/api/bots/nobody/chat"):
            method = "POST" if path.endswith("chat") else "GET"
            assert (await stage.ask(method, path))[0] == 401
            assert (await stage.ask(method, path, headers=bearer(), json={"message": "x"}))[0] == 404


async def test_status_shows_each_bot_and_the_worst_of_its_connections() -> None:
    bots = (
        a_bot("shop", channels=(CUSTOM,), cap=from_cents(500), llm_api_key=Secret("sk-of-the-bot")),
        a_bot("guard", channels=(GUARDED,)),
    )
    async with Stage(bots) as stage:
        stage.roster.report("shop", "custom", ConnectionState.UP)
        stage.roster.report("guard", "custom", ConnectionState.REFUSED, "wrong token")
        status, body, _ = await stage.ask("GET", "/api/status", headers=bearer("read"))
        assert status == 200
        assert (body["pid"], body["loop_lag_ms"], body["possibly_doubled"]) == (4711, 0.0, 0)
        assert body["started_at"].endswith("Z")
        shop, guard = body["bots"]
        assert (shop["id"], shop["status"], shop["connection"]) == ("shop", "active", "up")
        assert shop["spending_cap_cents"] == 500
        assert (shop["spent_usd"], shop["waiting"]) == ("0.00", 0)
        assert (guard["status"], guard["spending_cap_cents"]) == ("error", None)
        [connection] = guard["connections"]
        assert (connection["state"], connection["why"]) == ("refused", "wrong token")
        for path in ("/api/status", "/api/bots", "/api/bots/shop", "/api/bots/guard"):
            said = json.dumps((await stage.ask("GET", path, headers=bearer("read")))[1])
            assert "sk-of-the-bot" not in said
            assert "s3cret-of-the-shop" not in said


async def test_status_tells_of_tool_servers() -> None:
    class Server:
        def __init__(self, name: str, *tools: str, trouble: str = "") -> None:
            self.name, self.trouble = name, trouble
            self.tools = tuple(ServedTool(f"{name}__{tool}", tool, "", {}, repeatable=True) for tool in tools)

        async def call(self, tool: str, arguments: Mapping[str, Any], timeout_s: float) -> ToolAnswer:
            raise AssertionError

    async with Stage((a_bot("shop", channels=(CUSTOM,)),)) as stage:
        [live] = stage.roster.live()
        sources = (Server("orders", "get"), Server("mail", trouble="it ended (exit code 3)"))
        stage.roster.swap([replace(live, sources=sources)], None)
        _, body, _ = await stage.ask("GET", "/api/status", headers=bearer("read"))
    assert body["bots"][0]["tool_servers"] == [
        {"name": "orders", "tools": ["orders__get"], "why": ""},
        {"name": "mail", "tools": [], "why": "it ended (exit code 3)"},
    ]


@pytest.mark.parametrize("cents", [0, 1, 900_000_000, None])
async def test_a_cap_is_set_or_taken_away(cents: int | None) -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("PATCH", SHOP, headers=bearer(), json={"spending_cap_cents": cents})
        assert (status, body["spending_cap_cents"]) == (200, cents)
        assert writes(stage) == [("shop", {"spending_cap_cents": cents})]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b'{"spending_cap_cents": NaN}',
        b'{"spending_cap_cents": Infinity}',
        b'{"spending_cap_cents": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PATCH", SHOP), ("POST", f"{SHOP}/chat")])
async def test_what_is_no_object_of_json_is_refused(body: bytes, method: str, path: str) -> None:
    async with Stage() as stage:
        status, said, _ = await stage.ask(method, path, headers=bearer(), data=body)
        assert (status, said["error"]["code"]) == (400, "invalid")
        assert not writes(stage)
        assert not stage.told
        assert not stage.observer.of(Fault)


async def test_a_body_of_the_api_may_have_a_mebibyte() -> None:
    async with Stage() as stage:
        for length, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
            body = io.BytesIO(b"{}".ljust(length))
            assert (await stage.ask("PATCH", SHOP, headers=bearer(), data=body))[0] == status


async def test_a_charset_is_not_the_senders_choice() -> None:
    async with Stage() as stage:
        headers = {**bearer(), "Content-Type": "application/json; charset=no-such-thing"}
        status, _, _ = await stage.ask("PATCH", SHOP, headers=headers, data=b'{"spending_cap_cents": 7}')
        assert status == 200


async def test_an_empty_change_changes_nothing() -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("PATCH", SHOP, headers=bearer(), json={})
        assert (status, body["id"]) == (200, "shop")


async def test_a_file_that_cannot_be_written_is_a_conflict() -> None:
    async with Stage() as stage:
        assert isinstance(stage.file, MemoryDefinitions)
        stage.file.problem = Conflict("bots.yaml:3: it changed underneath")
        status, body, _ = await stage.ask("PATCH", SHOP, headers=bearer(), json={"spending_cap_cents": 7})
        assert (status, body["error"]["code"]) == (409, "not_written")
        assert "changed underneath" in body["error"]["message"]


async def test_a_word_with_a_bot_goes_through_the_console() -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("POST", f"{SHOP}/chat", headers=bearer(), json={"message": "hello"})
        assert (status, body) == (200, {"response": "re hello", "cost_usd": "0.01", "loop_iterations": 1})
        [(bot, channel, message)] = stage.told
        assert (bot, channel, message.sender.id, message.text) == ("shop", CONSOLE, "console", "hello")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["message"]),
        ({"message": ""}, ["message"]),
        ({"message": " \n"}, ["message"]),
        ({"message": 7}, ["message"]),
        ({"message": "x" * 100_001}, ["message"]),
        ({"message": "x", "user_id": ""}, ["user_id"]),
        ({"message": "x", "user_id": 7}, ["user_id"]),
        ({"message": "x", "user_id": None}, ["user_id"]),
        ({"message": "x", "user_id": "u" * 257}, ["user_id"]),
        ({"message": "x", "user_id": "\ud800"}, ["user_id"]),
        ({"message": "x", "user_id": "a\0b"}, ["user_id"]),
        ({"message": None, "user_id": []}, ["message", "user_id"]),
    ],
)
async def test_all_faults_of_a_message_are_told_at_once(body: Any, fields: list[str]) -> None:
    async with Stage() as stage:
        status, said, _ = await stage.ask("POST", f"{SHOP}/chat", headers=bearer(), json=body)
        assert status == 400
        assert [detail["field"] for detail in said["error"]["details"]] == fields
        assert not stage.told


@pytest.mark.parametrize(
    ("fate", "status", "retry"),
    [
        (Delivery(DeliveryState.LIMITED, 12.3), 429, "13"),
        (Delivery(DeliveryState.IGNORED), 403, None),
        (Delivery(DeliveryState.OVERLOADED, 1.0), 503, "1"),
    ],
)
async def test_a_message_that_is_not_taken(fate: Delivery, status: int, retry: str | None) -> None:
    async with Stage(fate=fate) as stage:
        told, body, headers = await stage.ask("POST", f"{SHOP}/chat", headers=bearer(), json={"message": "x"})
        assert (told, headers.get("Retry-After")) == (status, retry)
        assert body["error"]["message"]


async def test_an_answer_that_does_not_come_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.web.api.talking.ANSWER_MARGIN_S", -29.99)
    async with Stage(answering=False) as stage:
        status, body, _ = await stage.ask("POST", f"{SHOP}/chat", headers=bearer(), json={"message": "x"})
        assert (status, body["error"]["code"]) == (504, "pending")


async def test_a_console_that_closes_says_that_the_answer_is_pending() -> None:
    async with Stage(answering=False) as stage, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(stage.ask("POST", f"{SHOP}/chat", headers=bearer(), json={"message": "x"}))
        await stage.heard.wait()
        await stage.console.close()
        assert (await asking)[0] == 504


async def test_a_message_may_say_what_it_is_for() -> None:
    async with Stage() as stage:
        for path in (f"{SHOP}/test", f"{SHOP}/chat"):
            for body, task in (({}, ""), ({"task": "refund"}, "refund"), ({"task": ""}, "")):
                said = {"message": "hi", **body}
                assert (await stage.ask("POST", path, headers=bearer(), json=said))[0] == 200
                assert stage.told[-1][2].task == task
            wrong = {"message": "hi", "task": "Re Fund"}
            status, told, _ = await stage.ask("POST", path, headers=bearer(), json=wrong)
            assert (status, [one["field"] for one in told["error"]["details"]]) == (400, ["task"])


async def test_ten_tests_a_minute_a_user() -> None:
    async with Stage() as stage:
        ada, eve = bearer(), bearer(secret=b"x" * 32)

        async def test(headers: dict[str, str]) -> tuple[int, str | None]:
            status, _, told = await stage.ask("POST", f"{SHOP}/test", headers=headers, json={"message": "hi"})
            return status, told.get("Retry-After")

        for _ in range(TESTS_PER_MINUTE):
            assert await test(eve) == (401, None)
            assert await test(ada) == (200, None)
            stage.clock.advance(1)
        assert await test(ada) == (429, "51")
        assert len(stage.told) == TESTS_PER_MINUTE
        chat = await stage.ask("POST", f"{SHOP}/chat", headers=ada, json={"message": "hi"})
        assert chat[0] == 200, "talking is not testing"
        stage.clock.advance(50.1)
        assert await test(ada) == (200, None)
        assert (await test(ada))[0] == 429


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(["spending_cap_cents", "message", "user_id", "name", ""])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=st.lists(JSON | st.dictionaries(FIELDS, JSON, max_size=4), min_size=1, max_size=10))
async def test_no_body_breaks_it(bodies: list[Any]) -> None:
    async with Stage() as stage:
        for body in bodies:
            for method, path in (("PATCH", SHOP), ("POST", f"{SHOP}/chat")):
                status, said, _ = await stage.ask(
                    method, path, headers=bearer(), data=json.dumps(body).encode()
                )
                assert status == 200 or (status, said["error"]["code"]) == (400, "invalid")
                assert ("error" in said) == (status == 400)
        assert not stage.observer.of(Fault)
