"""Two real daemons on one PostgreSQL: caps and secrets that are set once hold at both, and the file is nobody's."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.fernet import Fernet

from runner.config.secret_keys import KEY_VARIABLE
from runner.testing.postgres_server import PostgresServer
from tests.faults.daemon_process import Daemon
from tests.faults.fleet_house import Fleet, fleet
from tests.guards.tree import ROOT

pytestmark = pytest.mark.e2e

WITHIN_S = 120.0
CONFIG = """\
server: {port: 0}
store: {url: "STORE"}
bots:
  hello:
    platform: custom
    platform_config: {secret: "${secret:door}"}
    llm_provider: echo
    llm_model: echo
    spending_cap_cents: 100
    system_prompt: You are kind.
"""


def command(house: Fleet, *arguments: str, stdin: str = "") -> str:
    """A command on a machine where no daemon runs, with the daemons' file and key."""
    folder = house.daemons[0].config.parent
    made = subprocess.run(
        [sys.executable, "-m", "runner", *arguments, "--config", str(house.daemons[0].config)],
        cwd=folder,
        env={**os.environ, "BOTRUNNER_STATE": str(folder / "elsewhere"), "PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


class Caller:
    """Somebody who calls the daemons."""

    def __init__(self, http: aiohttp.ClientSession, token: str) -> None:
        self._http = http
        self._token = {"Authorization": f"Bearer {token}"}

    async def admin(self, daemon: Daemon, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._http.request(
            method, f"{daemon.url}{path}", json=body, headers=self._token
        ) as response:
            return response.status, await response.json()

    async def cap(self, daemon: Daemon) -> int | None:
        cents: int | None = (await self.admin(daemon, "GET", "/api/bots/hello"))[1]["spending_cap_cents"]
        return cents

    async def say(self, daemon: Daemon, secret: str) -> tuple[int, Any]:
        async with self._http.post(
            f"{daemon.url}/api/bots/webhook/custom/hello",
            json={"text": "hello", "user_id": "ada"},
            headers={"Authorization": f"Bearer {secret}"},
        ) as response:
            return response.status, await response.json()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Until what was asked for is so."""
        async with asyncio.timeout(WITHIN_S):
            while not await holds():  # noqa: ASYNC110 - another process rings no bell here
                await asyncio.sleep(0.02)


async def test_what_is_set_once_holds_at_both(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    address = postgres.url(postgres.fresh()).replace("botrunner@", "botrunner:a-word-for-the-base@")
    async with fleet(tmp_path, postgres, CONFIG, 2, address) as house, aiohttp.ClientSession() as http:
        await asyncio.to_thread(command, house, "secret", "set", "door", "--from-stdin", stdin="first-word")
        await house.start()
        token = (await asyncio.to_thread(command, house, "token", "--scope", "admin")).strip()
        caller, files = Caller(http, token), [daemon.config.read_text() for daemon in house.daemons]
        await a_cap_holds_at_both(house, caller)
        await a_secret_changes_at_both(house, caller)
        await house.daemons[1].stop()
        await house.daemons[1].start()
        await house.daemons[1].ready()
        assert [await caller.cap(daemon) for daemon in house.daemons] == [0, 0]
        assert [daemon.config.read_text() for daemon in house.daemons] == files
        await house.stop()
    logs = "".join(daemon.log.read_text() for daemon in house.daemons)
    assert "word" not in logs, "no secret, nor the database's password"


async def a_cap_holds_at_both(house: Fleet, caller: Caller) -> None:
    one, other = house.daemons
    status, refused = await caller.admin(one, "PATCH", "/api/bots/hello", {"name": "Other"})
    assert (status, refused["error"]["code"]) == (409, "fleet")
    status, bot = await caller.admin(one, "PATCH", "/api/bots/hello", {"spending_cap_cents": 70})
    assert (status, bot["spending_cap_cents"], await caller.cap(one)) == (200, 70, 70)

    async def is_heard() -> bool:
        return await caller.cap(other) == 70

    await caller.until(is_heard)
    status, said = await caller.say(other, "first-word")
    assert (status, said["response"].startswith("You said: hello")) == (200, True)
    said_here = await asyncio.to_thread(command, house, "cap", "hello", "0")
    assert said_here.startswith("hello has a cap of 0.00 USD now")

    async def is_closed() -> bool:
        return [await caller.cap(daemon) for daemon in house.daemons] == [0, 0]

    await caller.until(is_closed)
    for daemon in house.daemons:
        status, said = await caller.say(daemon, "first-word")
        assert status == 200
        assert "hello" not in said["response"], "nothing is left to spend"


async def a_secret_changes_at_both(house: Fleet, caller: Caller) -> None:
    await asyncio.to_thread(command, house, "secret", "set", "door", "--from-stdin", stdin="second-word")

    async def is_taken_up() -> bool:
        told = [(await caller.say(daemon, "second-word"))[0] for daemon in house.daemons]
        return told == [200, 200]

    await caller.until(is_taken_up)
    assert [(await caller.say(daemon, "first-word"))[0] for daemon in house.daemons] == [401, 401]
