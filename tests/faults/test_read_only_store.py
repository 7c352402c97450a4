"""Promise: a store that cannot be written to is told in one sentence at the start; while it runs, it is waited out.

What is said meanwhile is not acknowledged; when the store takes writes again everything goes on by itself. (The
file `-shm` beside it is mapped into memory: a kernel may end whoever writes to it on a file system that became
read-only. That is a kill like any other; the next start tells.)
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.clock import SystemClock
from runner.store.sqlite.store import SqliteStore
from tests.faults.daemon_process import ROOT, Daemon
from tests.faults.failing_disk import Askers, immutable, small_disk, why_not_immutable
from tests.faults.reckoning import books

pytestmark = pytest.mark.faults

TOKEN = "42:abcdefgh"
CONFIG = """
server: {{port: 0}}
reload: off
defaults: {{llm_provider: echo, llm_model: echo, rate_limit_per_minute: null, system_prompt: Repeat.}}
bots:
  chat: {{platform: telegram, platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}}}
  shop: {{platform: custom}}
"""
ALONE = "bots: {shop: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Repeat.}}\n"


@contextmanager
def unwritable(kind: str, folder: Path) -> Iterator[Path]:
    """A state folder with a store that may be read only; root may write to whatever is not mounted so."""
    state = folder / "state"
    state.mkdir()
    with ExitStack() as stack:
        if os.geteuid() == 0:
            stack.enter_context(small_disk(state))
        asyncio.run(_fill(state / "botrunner.db"))
        if os.geteuid() == 0 and kind == "folder":
            subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)
        elif os.geteuid() == 0:
            subprocess.run(
                ["mount", "--bind", str(state / "botrunner.db"), str(state / "botrunner.db")], check=True
            )
            stack.callback(subprocess.run, ["umount", str(state / "botrunner.db")], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(state / "botrunner.db")], check=True)
        else:
            (state if kind == "folder" else state / "botrunner.db").chmod(0o500)
            stack.callback(state.chmod, 0o700)
        yield state


async def _fill(path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    await store.open()
    await store.close()
    path.with_name(path.name + ".lock").unlink()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_at_the_start_it_is_one_sentence(tmp_path: Path, kind: str) -> None:
    (tmp_path / "bots.yaml").write_text(ALONE)
    with unwritable(kind, tmp_path) as state:
        done = subprocess.run(
            [sys.executable, "-m", "runner", "run", "--config", str(tmp_path / "bots.yaml")],
            env={**os.environ, "BOTRUNNER_STATE": str(state), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert done.returncode == 1, "a person must mend it: it is not tried again and again"
    assert f"{state}/botrunner.db" in done.stderr
    assert "cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr


async def test_while_it_runs_it_is_waited_out(tmp_path: Path) -> None:
    reason = why_not_immutable(tmp_path)
    if reason:
        pytest.skip(reason)
    async with TelegramServer() as telegram, aiohttp.ClientSession() as session:
        account = telegram.account(TOKEN)
        with Daemon(tmp_path, CONFIG.format(telegram=telegram.url, token=TOKEN)) as daemon:
            await daemon.start()
            await daemon.ready()
            askers = Askers(daemon, session)
            account.say("first")
            await account.replies(1)
            async with asyncio.TaskGroup() as tasks:
                with immutable(daemon.state / "botrunner.db", daemon.state / "botrunner.db-wal"):
                    account.say("second")
                    tasks.create_task(askers.ask("meanwhile"))
                    await askers.turned_away()
                    assert await _until_ready(askers, 503)
                    assert account.waiting, "Telegram keeps what was not stored"
                    assert len(account.sent) == 1
            await account.replies(2)
            assert await _until_ready(askers, 200)
            await daemon.stop()
            assert daemon.events("fault"), "it is told"
            await books(daemon)
    assert ["first" in account.sent[0].text, "second" in account.sent[1].text] == [True, True]
    assert len(account.sent) == 2
    assert list(askers.answers) == ["meanwhile"]


async def _until_ready(askers: Askers, status: int) -> bool:
    """Wait until the probe, which looks once a second, says so."""
    while await askers.ready() != status:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    return True
