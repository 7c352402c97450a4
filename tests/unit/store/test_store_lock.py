"""One daemon a store, and nobody is turned away because of a dead one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import StoreRefused
from runner.store.sqlite.lock import FileLock, is_dying

HOLDER = """
import sys, time
from pathlib import Path
from runner.store.sqlite.lock import FileLock
FileLock(Path(sys.argv[1])).take()
print("held", flush=True)
time.sleep(600)
"""


def holder(store: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_living_holder_is_named_at_once(tmp_path: Path) -> None:
    with holder(tmp_path / "a.db") as process:
        with pytest.raises(StoreRefused, match=f"pid {process.pid}"):
            FileLock(tmp_path / "a.db").take()
        process.kill()


def test_a_killed_holder_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path / "a.db") as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        lock = FileLock(tmp_path / "a.db")
        lock.take()  # not reaped yet: it may still hold it
        lock.release()


def test_who_is_dying() -> None:
    assert not is_dying(str(os.getpid()))
    assert not is_dying("unknown")
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_dying(str(process.pid)), "ended and not reaped"
        process.wait()
        assert is_dying(str(process.pid)), "gone"
