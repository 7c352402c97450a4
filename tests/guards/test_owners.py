"""Time, tasks, ids and loading by name have owners; ruff keeps everybody else away from them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.tree import ROOT

BANNED = [
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "time.time",
    "time.monotonic",
    "uuid.uuid4",
    "importlib.import_module",
    "asyncio.sleep",
    "asyncio.create_task",
    "asyncio.ensure_future",
]


def complaints(call: str, file: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    code = f"import {call.split('.', maxsplit=1)[0]}\n\n{call}\n"
    command = [str(ruff), "check", "--no-cache", "--select", "TID251", "--stdin-filename", file, "-"]
    return subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("call", BANNED)
def test_others_are_kept_away(call: str) -> None:
    assert f"`{call}` is banned" in complaints(call, "runner/dispatch/lanes.py")


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("time.time", "runner/clock.py"),
        ("asyncio.sleep", "runner/clock.py"),
        ("importlib.import_module", "adapters/registry.py"),
    ],
)
def test_an_owner_may(call: str, file: str) -> None:
    assert "banned" not in complaints(call, file)
