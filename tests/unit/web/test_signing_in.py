"""Signing in to the dashboard: by a link once, by a token; what a session may, and that nobody can borrow it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from runner.clock import SystemClock
from runner.store.memory.values import MemoryValues
from runner.testing.clock import ManualClock
from runner.web import seals
from runner.web.auth import make_token
from runner.web.entry import CALLS_PER_MINUTE, FAILURES_PER_MINUTE, LOGINS_PER_MINUTE
from runner.web.seals import LINK_MS, new_link, seal, unseal
from runner.web.sessions import COOKIE, CSRF_HEADER, MOST_REMEMBERED, SESSION_MS, Sessions, _Memory
from tests.unit.web.web_stage import SECRET, Stage, bearer

SHOP = "/api/bots/shop"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage() as stage:
        yield stage


async def post(stage: Stage, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str, Any]:
    """A form of a page of ours; `headers` in place of the browser's own."""
    told = {"Origin": str(stage.url), **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with stage.http.post(path, data=fields, headers=told, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers


async def sign_in(stage: Stage, token: str | None = None) -> str:
    """Sign in; the session's token for forms."""
    status, text, headers = await post(
        stage, "/login", {"token": token or new_link(SECRET, stage.clock.now_ms())}
    )
    assert (status, headers["Location"]) == (303, "/"), text
    cookie = stage.http.cookie_jar.filter_cookies(URL(stage.url))[COOKIE].value
    claims = unseal(SECRET, "session", cookie, stage.clock.now_ms())
    assert claims is not None
    return seals.signature(SECRET, "csrf", claims["id"])


def token(scope: Any = "admin") -> str:
    return make_token(SECRET, scope, 36_500, SystemClock().now_ms() // 1000)


async def test_looking_at_a_link_does_not_use_it_up_but_using_it_does(stage: Stage) -> None:
    link = new_link(SECRET, stage.clock.now_ms())
    for _ in range(2):
        status, text, _ = await stage.ask("GET", f"/login?token={link}")
        assert (status, link in text) == (200, True)
    assert (await post(stage, "/login", {"token": link}))[0] == 303
    status, text, _ = await post(stage, "/login", {"token": link})
    assert (status, "used already" in text) == (401, True)


async def test_the_cookie_is_kept_from_scripts_and_other_sites(stage: Stage) -> None:
    _, _, headers = await post(stage, "/login", {"token": token()})
    parts = {part.strip().lower() for part in headers["Set-Cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/", f"max-age={SESSION_MS // 1000}"} <= parts
    assert "secure" not in parts
    async with Stage(public_url="https://bots.example") as public:
        _, _, headers = await post(public, "/login", {"token": token()})
        assert "secure" in headers["Set-Cookie"].lower()


async def test_a_link_ends(stage: Stage) -> None:
    link = new_link(SECRET, stage.clock.now_ms())
    stage.clock.advance(LINK_MS / 1000)
    assert (await post(stage, "/login", {"token": link}))[0] == 401


@pytest.mark.parametrize("given", ["", "x", "a.b", "é.ü", "." * 2000, "null.null"])
async def test_what_was_not_signed_here_opens_nothing(stage: Stage, given: str) -> None:
    assert (await post(stage, "/login", {"token": given}))[0] == 401
    assert (await stage.ask("GET", "/api/bots", headers={"Cookie": f"{COOKIE}={given.encode().hex()}"}))[
        0
    ] == 401


def test_a_seal_is_for_one_purpose_and_breaks_when_touched() -> None:
    made = seal(SECRET, "link", {"id": "x", "ends_ms": 10})
    assert unseal(SECRET, "link", made, 9) == {"id": "x", "ends_ms": 10}
    assert unseal(SECRET, "link", made, 10) is None
    assert unseal(SECRET, "session", made, 9) is None
    assert unseal(b"another", "link", made, 9) is None
    for place in range(len(made)):
        touched = made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]
        assert unseal(SECRET, "link", touched, 9) is None


async def test_a_session_reads_and_changes_only_what_its_user_meant(stage: Stage) -> None:
    csrf = await sign_in(stage)
    assert (await stage.ask("GET", "/api/bots"))[0] == 200
    ours = {"Origin": stage.url, CSRF_HEADER: csrf}
    assert (await stage.ask("PATCH", SHOP, headers=ours, json={"spending_cap_cents": 7}))[0] == 200
    for headers in (
        {},
        {"Origin": stage.url},
        {CSRF_HEADER: csrf},
        {"Origin": "https://evil.example", CSRF_HEADER: csrf},
        {"Origin": "null", CSRF_HEADER: csrf},
        {"Origin": stage.url, CSRF_HEADER: csrf[:-1]},
        {"Origin": stage.url, CSRF_HEADER: "é"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site", CSRF_HEADER: csrf},
    ):
        status, said, _ = await stage.ask("PATCH", SHOP, headers=headers, json={"spending_cap_cents": 8})
        assert (status, said["error"]["code"]) == (403, "forbidden"), headers
    same = {"Origin": "null", "Sec-Fetch-Site": "same-origin", CSRF_HEADER: csrf}
    assert (await stage.ask("PATCH", SHOP, headers=same, json={"spending_cap_cents": 9}))[0] == 200


async def test_a_session_may_what_its_token_may(stage: Stage) -> None:
    csrf = await sign_in(stage, token("read"))
    ours = {"Origin": stage.url, CSRF_HEADER: csrf}
    assert (await stage.ask("GET", "/api/bots"))[0] == 200
    assert (await stage.ask("PATCH", SHOP, headers=ours, json={}))[0] == 403


async def test_a_session_ends_by_itself(stage: Stage) -> None:
    await sign_in(stage)
    cookie = {"Cookie": f"{COOKIE}={stage.http.cookie_jar.filter_cookies(URL(stage.url))[COOKIE].value}"}
    stage.clock.advance(SESSION_MS / 1000)
    assert (await stage.ask("GET", "/api/bots", headers=cookie))[0] == 401


async def test_signing_out_ends_the_session_though_the_cookie_was_kept(stage: Stage) -> None:
    csrf = await sign_in(stage)
    kept = stage.http.cookie_jar.filter_cookies(URL(stage.url))[COOKIE].value
    assert (await post(stage, "/logout", {"csrf": csrf}, Origin="https://evil.example"))[0] == 303
    assert (await stage.ask("GET", "/api/bots"))[0] == 200, "nobody else signs anybody out"
    status, _, headers = await post(stage, "/logout", {"csrf": csrf})
    assert (status, headers["Location"]) == (303, "/login")
    assert (await stage.ask("GET", "/api/bots", headers={"Cookie": f"{COOKIE}={kept}"}))[0] == 401


async def test_signing_in_is_asked_for_on_our_own_page(stage: Stage) -> None:
    good = {"token": token()}
    assert (await post(stage, "/login", good, Origin="https://evil.example"))[0] == 403
    assert (await post(stage, "/login", good, Origin="null"))[0] == 403
    assert (await post(stage, "/login", good, Origin="null", Sec_Fetch_Site="same-origin"))[0] == 303


@pytest.mark.parametrize(
    ("after", "led"),
    [
        ("/bots/shop", "/bots/shop"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ],
)
async def test_nobody_is_led_to_another_site(stage: Stage, after: str, led: str) -> None:
    _, _, headers = await post(stage, "/login", {"token": token(), "after": after})
    assert headers["Location"] == led


async def test_tries_to_sign_in_are_counted(stage: Stage) -> None:
    for _ in range(LOGINS_PER_MINUTE):
        assert (await post(stage, "/login", {"token": "x"}))[0] == 401
    status, _, headers = await post(stage, "/login", {"token": token()})
    assert (status, headers["Retry-After"]) == (429, "61")
    stage.clock.advance(60)
    assert (await post(stage, "/login", {"token": token()}))[0] == 303


async def test_calls_in_vain_are_counted_and_lock_nobody_else_out(stage: Stage) -> None:
    bad = bearer(secret=b"x" * 32)
    statuses = [(await stage.ask("GET", "/api/bots", headers=bad))[0] for _ in range(FAILURES_PER_MINUTE + 1)]
    assert statuses == [401] * FAILURES_PER_MINUTE + [429]
    assert (await stage.ask("GET", "/api/bots", headers=bearer()))[0] == 200


async def test_calls_with_one_token_are_counted(stage: Stage) -> None:
    mine, other = bearer("read"), bearer("admin")
    for _ in range(CALLS_PER_MINUTE):
        assert (await stage.ask("GET", "/api/bots", headers=mine))[0] == 200
    status, _, headers = await stage.ask("GET", "/api/bots", headers=mine)
    assert (status, headers["Retry-After"]) == (429, "61")
    assert (await stage.ask("GET", "/api/bots", headers=other))[0] == 200


def test_what_is_remembered_is_bounded() -> None:
    memory = _Memory()
    for number in range(MOST_REMEMBERED + 10):
        memory.add(str(number), 100, 0)
    assert len(memory._ends) == MOST_REMEMBERED
    assert memory.holds(str(MOST_REMEMBERED + 9), 0)
    memory.add("late", 300, 200)
    assert len(memory._ends) == 1


@pytest.mark.parametrize(
    "path", ["/login", "/", "/chat", "/api/docs", "/api/bots", "/nowhere", "/health/live"]
)
async def test_every_answer_tells_browsers_to_load_nothing_foreign(stage: Stage, path: str) -> None:
    _, _, headers = await stage.ask("GET", path)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "botrunner"


async def test_what_pages_load_may_be_kept_by_its_mark(stage: Stage) -> None:
    _, text, _ = await stage.ask("GET", "/login")
    address = text.split('rel="stylesheet" href="', 1)[1].split('"', 1)[0]
    status, _, headers = await stage.ask("GET", address)
    assert (status, headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in headers["Cache-Control"]
    assert (await stage.ask("GET", address.partition("?")[0]))[2]["Cache-Control"] == "no-store"
    assert (await stage.ask("GET", "/static/dashboard/nothing.css"))[0] == 404


def test_a_session_lives_no_longer_than_its_token() -> None:
    clock = ManualClock()
    response = web.Response()
    Sessions(SECRET, clock, MemoryValues()).open(response, "read", clock.now_ms() + 5000)
    assert response.cookies[COOKIE]["max-age"] == "5"
