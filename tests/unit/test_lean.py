"""Lean imports leave a library as it is, but for what nobody asks for."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module  # noqa: TID251 - what is tested is how modules are loaded
from pathlib import Path

import pytest

from runner.lean import piecemeal, without

FILES = {
    "__init__.py": "",
    "gathered/__init__.py": (
        '"""Doc."""\nfrom __future__ import annotations\n'
        "from .one import One, Same as Other\nfrom .deep.two import Two\nfrom . import three\n"
    ),
    "gathered/one.py": "class One: pass\nclass Same: pass\n",
    "gathered/deep/__init__.py": "LOADED = True\n",
    "gathered/deep/two.py": "from ..one import One\nclass Two(One): pass\n",
    "gathered/three.py": "three = 3\n",
    "busy/__init__.py": "from .one import One\nCOUNT = 1\n",
    "busy/one.py": "class One: pass\n",
    "mixed/__init__.py": (
        "from json import loads\nfrom .one import One\nfrom . import one as one\n__all__ = ['One', 'loads']\n"
    ),
    "mixed/one.py": "class One: pass\n",
    "starred/__init__.py": "from .one import *\n",
    "starred/one.py": "class One: pass\n",
}
LIBRARY = "a_library_of_test_lean"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, text in FILES.items():
        file = tmp_path / LIBRARY / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield LIBRARY
    for name in loaded():
        del sys.modules[name]


def loaded() -> set[str]:
    return {name for name in sys.modules if name == LIBRARY or name.startswith(f"{LIBRARY}.")}


def test_a_module_is_loaded_when_a_name_of_it_is_asked_for(library: str) -> None:
    with piecemeal(f"{library}.gathered"):
        gathered = import_module(f"{library}.gathered")
    before = loaded()

    one = gathered.One

    assert before == {library, f"{library}.gathered"}
    assert loaded() == before | {f"{library}.gathered.one"}
    assert one is import_module(f"{library}.gathered.one").One
    assert gathered.Other.__name__ == "Same"
    assert gathered.Two.__mro__[1] is one
    assert gathered.three.three == 3


def test_names_may_be_gathered_from_elsewhere(library: str) -> None:
    with piecemeal(f"{library}.mixed"):
        mixed = import_module(f"{library}.mixed")
    before = loaded()

    assert mixed.loads("[1]") == [1]
    assert before == {library, f"{library}.mixed"}
    assert mixed.one.One is mixed.One


def test_everything_can_be_asked_for_at_once(library: str) -> None:
    with piecemeal(library):
        import_module(f"{library}.gathered")
    names: dict[str, object] = {}
    exec(f"from {library}.gathered import *", names)

    assert {"One", "Other", "Two", "three"} <= set(names)


def test_a_name_that_is_not_there_is_not_there(library: str) -> None:
    with piecemeal(library):
        gathered = import_module(f"{library}.gathered")

    with pytest.raises(AttributeError, match="has no attribute 'Five'"):
        _ = gathered.Five
    with pytest.raises(ImportError):
        exec(f"from {library}.gathered import Five", {})


@pytest.mark.parametrize("package", ["busy", "starred"])
def test_a_package_that_does_more_is_loaded_as_ever(library: str, package: str) -> None:
    with piecemeal(library):
        found = import_module(f"{library}.{package}")

    assert "One" in vars(found)


def test_nothing_stays_in_the_import_system(library: str) -> None:
    before = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError), piecemeal(library):
        import_module(f"{library}.missing")

    assert sys.meta_path == before


def test_what_is_hidden_comes_back(library: str) -> None:
    with without(f"{library}.busy"), pytest.raises(ImportError):
        import_module(f"{library}.busy")

    assert import_module(f"{library}.busy").COUNT == 1


def test_the_openai_sdk_is_loaded_without_its_types() -> None:
    program = (
        "import runner.providers.openai, sys, openai\n"
        "few = sum(name.startswith('openai.types.') for name in sys.modules)\n"
        "from openai.types import Completion\n"
        "print(few, Completion.__name__, openai.types.CompletionChoice.__name__)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    few, *names = done.stdout.split()
    assert int(few) < 150  # nearly 400 otherwise
    assert names == ["Completion", "CompletionChoice"]


def test_the_mcp_sdk_is_loaded_with_the_first_tool_server_and_without_its_servers() -> None:
    program = (
        "import runner.app.running, sys\n"
        "before = any(name.startswith('mcp') for name in sys.modules)\n"
        "import runner.tool_servers.sdk\n"
        "heavy = [name for name in ('mcp.server', 'starlette', 'uvicorn', 'jsonschema') if name in sys.modules]\n"
        "from mcp import ClientSession\n"
        "print(before, heavy, ClientSession.__name__)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False [] ClientSession\n"
