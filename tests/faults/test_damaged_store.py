"""Promise: a damaged store is never used: it is refused with advice, page by page, and a backup heals it.

Damage in a value that no structure of the file runs through can be told by nobody; then the books still agree.
"""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.clock import SystemClock
from runner.errors import StoreRefused
from runner.ports.mail import OutboxState
from runner.store.sqlite.backup import back_up, restore
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import answer, inbound, spent
from tests.faults.daemon_process import ROOT, Daemon
from tests.faults.reckoning import books

pytestmark = pytest.mark.faults

TOKEN = "42:abcdefgh"
CONFIG = """
server: {{port: 0}}
reload: off
defaults: {{llm_provider: echo, llm_model: echo, rate_limit_per_minute: null, system_prompt: Repeat.}}
bots:
  chat: {{platform: telegram, platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}}}
"""
PAGE = 4096
ADVICE = re.compile("restore a backup|not a database|another program")


def run(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    """`botrunner run`, which is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "runner", "run", "--config", str(daemon.config)],
        env={**os.environ, "BOTRUNNER_STATE": str(daemon.state), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def overwrite(path: Path, page: int) -> None:
    """What a failing disk may leave of a page (from 0)."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)


async def test_it_is_refused_with_advice_and_a_backup_heals_it(tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    async with TelegramServer() as telegram:
        account = telegram.account(TOKEN)
        with Daemon(tmp_path, CONFIG.format(telegram=telegram.url, token=TOKEN)) as daemon:
            store = daemon.state / "botrunner.db"
            await daemon.start()
            await daemon.ready()
            account.say("before")
            await account.replies(1)
            await _sent(store, 1)
            back_up(store, backup)  # beside the running daemon
            await daemon.stop()

            overwrite(store, _root_page(store, "ledger"))
            refused = run(daemon)
            assert refused.returncode == 1
            assert f"{store} is damaged" in refused.stderr
            assert "botrunner store restore FILE" in refused.stderr
            assert "Traceback" not in refused.stderr
            damaged = store.read_bytes()

            done = restore(backup, store, SystemClock().now_ms())
            assert done.found.is_good
            assert done.kept is not None
            assert done.kept.read_bytes() == damaged, "nothing is thrown away"
            await daemon.start()
            await daemon.ready()
            account.say("after")
            await account.replies(2)
            await account.drained()
            await daemon.stop()
            assert len(await books(daemon)) == 2
    assert len(account.sent) == 2


async def _sent(path: Path, count: int) -> None:
    """Wait until the store knows that so many answers arrived."""
    reader = reader_of(path)
    await reader.open()
    while len(await reader.outgoing(OutboxState.SENT, 10, 0)) < count:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    await reader.close()


def _root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return int(found[0]) - 1


async def test_whichever_page_it_is(tmp_path: Path) -> None:
    """One page after the other is overwritten, each in a copy of its own."""
    whole = tmp_path / "whole.db"
    store = SqliteStore(whole, SystemClock())
    await store.open()
    for number in range(3):
        await answer(
            store, inbound(f"e{number}", lane=f"lane {number}", payload="x" * 6000), "y" * 3000, parts=1
        )
        await spent(store, f"t{number}.1", turn=f"t{number}")
    await store.close()
    content = whole.read_bytes()
    refused = 0
    pages = len(content) // PAGE
    for page in range(pages):
        path = tmp_path / "damaged.db"
        path.write_bytes(content)
        overwrite(path, page)
        broken = SqliteStore(path, SystemClock())
        try:
            await broken.open()
        except StoreRefused as error:
            assert ADVICE.search(str(error))  # noqa: PT017 - the others open
            refused += 1
        else:
            assert _only_a_text(content, page), f"page {page} is damaged, and nobody noticed"
            await broken.close()
            assert await reader_of(path).verify_books() == []
    print(f"{refused} of {pages} damaged pages refused, the others hold nothing but a long text")
    assert refused >= pages - 3


def _only_a_text(content: bytes, page: int) -> bool:
    """Whether a page is one that a long text runs over into: four bytes of a page's number, then text."""
    return (
        content[page * PAGE + 4 : (page + 1) * PAGE].strip(b"xy\0") == b""
        or b"x" * 1000 in content[page * PAGE : (page + 1) * PAGE]
    )
