"""The promise: a backup that is made while the daemon works holds each message that was accepted before it, with
right books; and where the store's pages are damaged the daemon refuses it, and the backup is the store again.

HTTP clients talk to a bot all the time; what they were answered before a backup they are answered again, in the same
words and without a new call, by the daemon that has it.
"""

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import pytest

from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.reckoning import PRICES, say_again
from tests.guards.tree import ROOT

CLIENTS = 6
BACKUPS = 2
ASKED_AGAIN = 50
BEFORE_EACH = 60
"""Answers that are waited for before each backup."""

CONFIG = """
server: {{port: {port}}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
{prices}
bots:
  shop:
    platform: custom
    llm_provider: house
    llm_model: m
    max_tokens_per_turn: 300
    spending_cap_cents: 100000
    rate_limit_per_minute: null
    system_prompt: You help.
"""


class Load:
    """Clients that talk until it is over, and what they were answered."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self.daemon = daemon
        self.session = session
        self.answers: dict[str, str] = {}
        self.more = asyncio.Event()
        self.over = False

    async def client(self, number: int) -> None:
        count = 0
        while not self.over:
            count += 1
            word = f"c{number}n{count}"
            with suppress(aiohttp.ClientError):  # the daemon is killed under us in the end
                self.answers[word] = await self.ask(word)
            self.more.set()

    async def ask(self, word: str) -> str:
        body = {"text": word, "user_id": f"u{word.partition('n')[0]}", "message_id": word}
        url = f"{self.daemon.url}/api/bots/webhook/custom/shop"
        async with self.session.post(url, json=body) as response:
            told = await response.json()
            assert response.status == 200, told
            return str(told["response"])

    async def until(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.answers) < count:
                self.more.clear()
                await self.more.wait()


async def command(daemon: Daemon, *arguments: str) -> str:
    """A command of botrunner beside the daemon, as a process; what it printed."""
    environ = {**os.environ, "BOTRUNNER_STATE": str(daemon.state), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runner", *arguments, "--config", str(daemon.config)),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode == 0, (arguments, out, err)
    return out.decode()


def events_in(path: Path) -> set[str]:
    """Ids of the messages that a store has answered."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            row[0] for row in connection.execute("SELECT event_id FROM inbox WHERE finished_ms IS NOT NULL")
        }


def damage(path: Path, text: str) -> None:
    """A page that holds this text, in the file itself, not in its log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(path.read_bytes())
    page = raw.index(text.encode()) // 4096 * 4096
    raw[page : page + 64] = b"\xee" * 64
    path.write_bytes(raw)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_backup_under_load_is_the_store_of_its_moment(tmp_path: Path, unused_tcp_port: int) -> None:
    model = ModelServer(standing=say_again)
    text = CONFIG.format(port=unused_tcp_port, model=await model.start(), prices=PRICES)
    async with aiohttp.ClientSession() as session:
        with Daemon(tmp_path, text) as daemon:
            await daemon.start()
            await daemon.ready()
            load = Load(daemon, session)
            before: dict[str, str] = {}
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(load.client(number))
                for number in range(1, BACKUPS + 1):
                    await load.until(number * BEFORE_EACH)
                    before = dict(load.answers)
                    target = tmp_path / f"{number}.db"
                    said = json.loads(await command(daemon, "store", "backup", str(target), "--json"))
                    assert (said["ok"], said["books_read"]) == (True, True)
                    assert before.keys() <= events_in(target)
                load.over = True
                daemon.kill()
            await daemon.gone()
            await _damaged_and_restored(daemon, target, model, load, before)
            await daemon.stop()
            await command(daemon, "ledger", "verify")
        await model.stop()


async def _damaged_and_restored(
    daemon: Daemon, backup: Path, model: ModelServer, load: Load, before: dict[str, str]
) -> None:
    damage(daemon.state / "botrunner.db", next(iter(before)))
    await daemon.start()
    await daemon.gone()
    log = daemon.log.read_text()
    assert "is damaged" in log
    assert "store restore" in log
    said = json.loads(await command(daemon, "store", "restore", str(backup), "--json"))
    assert said["ok"]
    assert said["kept"]
    waiting = said["left_open"]["messages"]  # they are answered by the next start
    await command(daemon, "ledger", "verify")
    await daemon.start()
    await daemon.ready()
    some = list(before)[-ASKED_AGAIN:]
    calls = len(model.bill)
    assert {word: await load.ask(word) for word in some} == {word: before[word] for word in some}
    assert len(model.bill) - calls <= waiting  # nothing that was answered is asked of the model again


@pytest.mark.faults
async def test_a_start_with_an_older_store_says_so_and_keeps_it(tmp_path: Path, unused_tcp_port: int) -> None:
    text = CONFIG.format(port=unused_tcp_port, model="http://127.0.0.1:1", prices=PRICES)
    newest = load_migrations()[-1].version
    with Daemon(tmp_path, text) as daemon:
        daemon.state.mkdir()
        with closing(sqlite3.connect(daemon.state / "botrunner.db", isolation_level=None)) as connection:
            migrate(connection, load_queries(), load_migrations()[:-1], 1)
        await daemon.start()
        await daemon.ready()
        [told] = daemon.events("the store is brought up to date, after a copy of it is kept")
        assert (told["schema"], told["to"]) == (newest - 1, newest)
        kept = json.loads(await command(daemon, "store", "info", "--json"))["copies"]
        assert kept == [told["copy"]]
        await daemon.stop()
        await daemon.start()
        await daemon.ready()
        assert len(daemon.events("the store is brought up to date, after a copy of it is kept")) == 1
        await daemon.stop()
