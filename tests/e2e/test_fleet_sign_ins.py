"""Two real daemons on one PostgreSQL: what one of them was told about who may come in holds at the other."""

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from runner.testing.postgres_server import PostgresServer
from runner.web.sessions import COOKIE
from tests.faults.daemon_process import Daemon
from tests.faults.fleet_house import Fleet, fleet
from tests.guards.tree import ROOT

pytestmark = pytest.mark.e2e

WITHIN_S = 120.0
LIMIT = 5
CONFIG = f"""\
server: {{port: 0}}
store: {{url: "STORE"}}
bots:
  hello:
    platform: custom
    llm_provider: echo
    llm_model: echo
    rate_limit_per_minute: {LIMIT}
    spending_cap_cents: 100
    system_prompt: You are kind.
"""


def token_made_elsewhere(config: Path, folder: Path) -> str:
    """By the command, on a machine where no daemon runs."""
    folder.mkdir()
    made = subprocess.run(
        [sys.executable, "-m", "runner", "token", "--config", str(config)],
        cwd=folder,
        env={**os.environ, "BOTRUNNER_STATE": str(folder / "state"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


async def bots(http: aiohttp.ClientSession, daemon: Daemon, **headers: str) -> int:
    """What the list of bots is answered with."""
    async with http.get(f"{daemon.url}/api/bots", headers=headers) as response:
        return response.status


async def form(http: aiohttp.ClientSession, daemon: Daemon, path: str, **fields: str) -> int:
    """A form of the daemon's own page is sent."""
    own = {"Origin": daemon.url}
    async with http.post(f"{daemon.url}{path}", data=fields, headers=own, allow_redirects=False) as response:
        return response.status


async def test_what_one_daemon_was_told_holds_at_the_other(tmp_path: Path, postgres: PostgresServer) -> None:
    async with fleet(tmp_path, postgres, CONFIG, 2) as house, aiohttp.ClientSession() as http:
        await house.start()
        await messages_are_counted_together(house, http)
        token = await asyncio.to_thread(token_made_elsewhere, house.daemons[0].config, tmp_path / "elsewhere")
        cookie = await links_are_good_once_and_sign_outs_for_good(house, http)
        other = house.daemons[1]
        await other.stop()
        await other.start()
        await other.ready()
        for daemon in house.daemons:
            assert await bots(http, daemon, Authorization=f"Bearer {token}") == 200
            assert await bots(http, daemon, Cookie=cookie) == 401
        await house.stop()


async def messages_are_counted_together(house: Fleet, http: aiohttp.ClientSession) -> None:
    async def say(number: int, at: int) -> int:
        url = f"{house.url(at)}/api/bots/webhook/custom/hello"
        body = {"text": "hello", "user_id": f"u{number % 7}", "message_id": f"m{number}"}
        async with http.post(url, json=body) as response:
            return response.status

    begun = time.monotonic()
    told = await asyncio.gather(*(say(number, number % 2) for number in range(8 * LIMIT)))
    told.append(await say(8 * LIMIT, 0))
    minutes = 1 + int((time.monotonic() - begun) // 60)  # one, but on a machine that stands still
    assert set(told) == {200, 429}
    assert LIMIT <= told.count(200) <= LIMIT * minutes
    first = told.index(200)
    assert await say(first, (first + 1) % 2) == 200, "what was taken is answered again, and takes no room"


async def links_are_good_once_and_sign_outs_for_good(house: Fleet, http: aiohttp.ClientSession) -> str:
    """The cookie of a session that has ended."""
    one, other = house.daemons
    [welcome] = [*one.events("dashboard"), *other.events("dashboard")]
    [key] = parse_qs(urlsplit(str(welcome["link"])).query)["token"]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        assert await form(browser, other, "/login", token=key) == 303
        assert [await form(http, daemon, "/login", token=key) for daemon in (one, other)] == [401, 401]
        cookie = next(cookie for cookie in browser.cookie_jar if cookie.key == COOKIE).value
        async with browser.get(f"{one.url}/") as response:
            [csrf, *_] = re.findall(r'name="csrf" value="([^"]+)"', await response.text())
        assert await form(browser, one, "/logout", csrf=csrf) == 303
    kept = f"{COOKIE}={cookie}"
    assert [await bots(http, daemon, Cookie=kept) for daemon in (one, other)] == [401, 401]
    return kept
