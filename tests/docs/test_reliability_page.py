"""docs/reliability.md names tests that there are, and all files of the fault suite; its numbers are the Makefile's."""

import ast
import re

import pytest

from tests.guards.tree import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
FAULTS = sorted(path for path in (ROOT / "tests" / "faults").glob("test_*.py"))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_it_names_is_there(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert test in names or (not test and any(name.startswith("test_") for name in names))


def test_each_file_of_the_suite_is_on_it_and_says_what_it_promises() -> None:
    assert {f"tests/faults/{path.name}" for path in FAULTS} <= {file for file, _ in NAMED}
    assert [
        path.name for path in FAULTS if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ] == []


def test_how_long_the_full_length_is() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    long = dict(re.findall(r"^faults: export (BOTRUNNER_\w+) \?= (\d+)$", makefile, re.MULTILINE))
    told = dict(re.findall(r"`(BOTRUNNER_\w+)` \((\d+)\)", PAGE)) | dict(
        re.findall(r"`(BOTRUNNER_\w+)=(\d+)`", PAGE)
    )
    told["BOTRUNNER_KILLS"] = re.findall(r"in each of four tests \((\d+)\)", PAGE)[0]
    del told["BOTRUNNER_SEED"]
    assert told == long
    read = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "faults").glob("*.py"))
    assert [name for name in told if name not in read] == []


def test_no_figure_is_left_out() -> None:
    assert re.findall(r"\| [A-Z]{4,} \|", PAGE) == []
