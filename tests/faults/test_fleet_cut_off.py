"""A daemon whose network to the database is cut, in namespaces: packets vanish, nothing says so.

Each daemon reaches PostgreSQL over a link of its own (a pair of veth into the database's namespace). One link goes
down for longer than any time-out, and comes back. The others take its work over; the one that was cut off does
nothing more for turns that are not its own any more.
"""

import asyncio
import ctypes
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from runner.testing.postgres_server import PostgresServer
from tests.faults.fleet_house import Fleet, fleet
from tests.faults.fleet_reckoning import books_at, check_order
from tests.faults.reckoning import PRICES, check_bill

CUT_S = 14.0
CLIENTS = 6
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
PATIENCE = aiohttp.ClientTimeout(total=25)
CONFIG = """
server: {port: PORT}
store: {url: "STORE"}
providers: {house: {kind: openai, base_url: "%s/v1", api_key: key}}
%s
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
  cust: {platform: custom}
"""


def run_ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def can_make_namespaces() -> bool:
    """Whether this process may; a container often may not."""
    name = f"probe{os.getpid()}"
    try:
        run_ip("netns", "add", name)
        run_ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def database_elsewhere(links: int) -> Iterator[str]:
    """A namespace with so many links to it; the daemons' ends are 10.213.N.1, the database's 10.213.N.2."""
    name = f"db{os.getpid()}"
    run_ip("netns", "add", name)
    try:
        run_ip("-n", name, "link", "set", "lo", "up")
        for number in range(links):
            near, far = f"br{os.getpid() % 10000}n{number}", f"br{os.getpid() % 10000}f{number}"
            run_ip("link", "add", near, "type", "veth", "peer", "name", far)
            run_ip("link", "set", far, "netns", name)
            run_ip("addr", "add", f"10.213.{number}.1/24", "dev", near)
            run_ip("-n", name, "addr", "add", f"10.213.{number}.2/24", "dev", far)
            run_ip("-n", name, "link", "set", far, "up")
            run_ip("link", "set", near, "up")
        yield name
    finally:
        run_ip("netns", "del", name)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread, and what it starts, is in that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/run/netns/{name}").open("rb") as there:
        assert libc.setns(there.fileno(), 0) == 0
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), 0) == 0


def say_again(body: Mapping[str, Any]) -> Say:
    return Say(text=f"re {str(body['messages'][-1]['content']).split()[-1]}", latency_s=0.15)


class Clients:
    """Each asks one word after another of daemons that are not cut off, or of any, and again where none answers."""

    def __init__(self, house: Fleet, session: aiohttp.ClientSession, rng: random.Random) -> None:
        self.house = house
        self.session = session
        self.rng = rng
        self.over = asyncio.Event()
        self.said: dict[str, list[str]] = {}
        self.read: list[str] = []
        self.turns: dict[str, set[str]] = {}
        self.longest_s = 0.0

    async def ask_on(self, writer: str) -> None:
        said = self.said.setdefault(writer, [])
        while not self.over.is_set():
            said.append(f"{writer}n{len(said)}.")
            begun = time.monotonic()
            self.read.append(await self._ask(writer, said[-1]))
            self.longest_s = max(self.longest_s, time.monotonic() - begun)

    async def _ask(self, writer: str, word: str) -> str:
        body = {"text": word, "user_id": writer, "message_id": word}
        while True:
            daemon = self.rng.choice(self.house.up())
            try:
                url = f"{daemon.url}/api/bots/webhook/custom/cust"
                async with self.session.post(url, json=body, timeout=PATIENCE) as response:
                    told = await response.json()
                    if response.status == 200:
                        self.turns.setdefault(word, set()).add(told["turn_id"])
                        return str(told["response"])
                    assert response.status in {503, 504}, told
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
                pass
            await asyncio.sleep(0.05)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(
    not can_make_namespaces(), reason="needs the right to make network namespaces (root, iproute2)"
)
async def test_a_daemon_that_is_cut_off_loses_its_work_to_the_others_and_comes_back(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    model = ModelServer(standing=say_again)
    with database_elsewhere(3) as name:
        server = PostgresServer(tmp_path / "postgres", {"listen_addresses": "*"}, trusted="10.213.0.0/16")
        with inside(name):
            server.start()
        try:
            database = server.url("postgres").replace("127.0.0.1", "10.213.LINK.2")
            text = CONFIG % (await model.start(), PRICES)
            async with (
                fleet(tmp_path, server, text, 3, database) as house,
                aiohttp.ClientSession() as session,
            ):
                await house.start()
                clients = Clients(house, session, rng)
                async with asyncio.TaskGroup() as group:
                    for client in range(CLIENTS):
                        group.create_task(clients.ask_on(f"cu{client}"))
                    await asyncio.sleep(3.0)
                    near = f"br{os.getpid() % 10000}n0"
                    run_ip("link", "set", near, "down")
                    house.stopped.add(house.daemons[0].pid)  # its health check fails: nobody is sent there
                    await asyncio.sleep(CUT_S)
                    run_ip("link", "set", near, "up")
                    await asyncio.sleep(4.0)
                    house.stopped.clear()
                    await asyncio.sleep(4.0)
                    clients.over.set()
                await house.stop()
                rows = await books_at(database.replace("LINK", "1"), tmp_path)
        finally:
            server.close()
            await model.stop()
    print(f"{sum(map(len, clients.said.values()))} said, the longest wait {clients.longest_s:.1f} s")
    check_order(clients.said, clients.read)
    assert all(len(turns) == 1 for turns in clients.turns.values()), "each word is one turn"
    turns = Counter(row.attempt.turn for row in rows)
    for row in rows:
        if turns[row.attempt.turn] > 1:
            print(row.attempt.id, row.state, row.attempt.time_ms, row.latency_ms, row.why)
    check_bill(rows, model)
