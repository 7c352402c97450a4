"""The walls between the rooms stand, and they bite."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.guards.tree import ROOT, here, python_files

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
NAMES = {contract["id"]: contract["name"] for contract in CONTRACTS}
BREAKS = [
    ("runner-layers", "runner/errors.py", "import runner.bots"),
    ("runner-layers", "runner/attic.py", ""),
    ("adapters-layers", "adapters/messages.py", "import adapters.contract"),
    ("adapters-layers", "adapters/attic.py", ""),
    ("adapters-alone", "adapters/messages.py", "import runner.errors"),
    ("money-pure", "runner/money/leak.py", "import asyncio"),
    ("money-pure", "runner/money/leak.py", "from time import time"),
    ("money-pure", "runner/errors.py", "import os"),
    ("conversations-pure", "runner/conversations/leak.py", "import sqlite3"),
    ("adapters-layers", "adapters/telegram/leak.py", "import adapters.custom"),
    ("no-flow-below", "runner/store/leak.py", "import runner.agent"),
    ("no-flow-below", "runner/providers/leak.py", "import runner.dispatch"),
    ("one-door", "runner/dispatch/leak.py", "from runner.ports.provider import Provider"),
    ("one-door-for-batches", "runner/dispatch/leak.py", "from runner.ports.batch_server import BatchServer"),
    ("one-door-for-batches", "runner/agent/leak.py", "import runner.ports.batch_server"),
    ("providers-made-once", "runner/config/leak.py", "import runner.providers"),
    ("no-flow-below", "runner/tool_servers/leak.py", "import runner.agent"),
    ("tool-servers-made-once", "runner/dispatch/leak.py", "import runner.tool_servers"),
    ("config-stops", "runner/dispatch/leak.py", "import runner.config"),
    ("nameless-platforms", "runner/bots.py", "from adapters.telegram import config"),
    ("acyclic", "runner/money/amounts.py", "import runner.money.ledger"),
]


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [script, "--no-cache", "--no-logo"], cwd=tree, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in [ROOT / "pyproject.toml", *python_files("adapters", "runner")]:
        target = tmp_path / here(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def test_the_walls_stand(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("contract", "file", "line"), BREAKS)
def test_a_wall_bites(copy: Path, contract: str, file: str, line: str) -> None:
    with (copy / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{NAMES[contract]} BROKEN" in result.stdout


def test_each_wall_is_tried() -> None:
    assert {contract for contract, _, _ in BREAKS} == set(NAMES)


def test_a_room_that_came_is_named_plainly() -> None:
    """See the remark on the contracts: a room in waiting is guarded less well."""
    waiting = {
        expression.removesuffix(".**")
        for contract in CONTRACTS
        for option in ("source_modules", "forbidden_modules", "protected_modules", "allowed_importers")
        for expression in contract.get(option, [])
        if expression.endswith(".**")
    } | {
        f"{container}.{room}"
        for contract in CONTRACTS
        for container in contract.get("containers", [])
        for room in re.findall(r"\((\w+)\)", " ".join(contract["layers"]))
    }
    modules = {
        here(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in python_files()
    }
    assert not waiting & modules, "give these their plain names in pyproject.toml"
