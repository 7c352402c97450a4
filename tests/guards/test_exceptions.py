"""An exception from a rule names the rule, and the rules that are off say why."""

import re
import tomllib

import pytest

from tests.guards.tree import ROOT, here, python_files

BLANKET = re.compile(
    r"#\s*type:\s*ignore(?!\[[a-z-]+)|#\s*(?:ruff:\s*)?noqa(?!:\s*[A-Z]+[0-9]+)", re.IGNORECASE
)
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_each_exception_names_its_rule() -> None:
    blanket = [
        f"{here(path)}:{number}"
        for path in python_files()
        if path != ROOT / "tests/guards/test_exceptions.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if BLANKET.search(line)
    ]
    assert not blanket


@pytest.mark.parametrize(
    "line", ["x()  # type: ignore", "x()  # noqa", "# ruff: noqa", "x()  # noqa: everything"]
)
def test_a_blanket_exception_is_seen(line: str) -> None:
    assert BLANKET.search(line)


@pytest.mark.parametrize(
    "line", ["x()  # type: ignore[attr-defined]", "x()  # noqa: S101", "# ruff: noqa: S101"]
)
def test_a_named_exception_passes(line: str) -> None:
    assert not BLANKET.search(line)


def test_each_rule_that_is_off_has_a_reason() -> None:
    lint = tomllib.loads(PROJECT)["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    for rule in lint["ignore"]:
        assert re.search(rf'^ +"{rule}", +# \w.+$', PROJECT, re.MULTILINE), f"{rule} is off for no reason"
