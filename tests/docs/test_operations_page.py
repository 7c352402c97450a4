"""docs/operations.md: its log lines, states and file names are those that there are."""

import re

import pytest

from adapters.contract import ConnectionState
from tests.guards.tree import ROOT, python_files

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of its tables."""
    cells = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("event", first_cells(section("Read the log"))[1:])
def test_each_log_line_is_written_somewhere(event: str) -> None:
    start = event.split(": …", maxsplit=1)[0]
    assert any(f'"{start}' in path.read_text(encoding="utf-8") for path in python_files("runner")), event


@pytest.mark.parametrize("state", ConnectionState)
def test_each_state_has_its_line_in_the_runbook(state: ConnectionState) -> None:
    assert state in first_cells(section("Runbook"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"systemd/[\w./-]+\.\w+", PAGE))))
def test_files_it_names_are_there(path: str) -> None:
    assert (ROOT / path).exists()
