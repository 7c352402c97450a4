"""docs/cli.md says what there is, all of it."""

import re

import typer

from runner.cli.commands import application
from tests.guards.tree import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = {"--help", "--config", "--json"}


def commands() -> dict[str, set[str]]:
    """Each command with the long names of its options."""
    found = {}
    group = typer.main.get_command(application())
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for inner, leaf in getattr(command, "commands", {"": command}).items():
            options = {
                word
                for param in leaf.params
                for word in (*param.opts, *param.secondary_opts)
                if word.startswith("--")
            }
            found[f"{name} {inner}".strip()] = options
    return found


def test_each_command_and_option_is_there() -> None:
    said = commands()
    assert "ledger verify" in said
    for name, options in said.items():
        assert f"[`{name}`]" in PAGE, name
        assert not {option for option in options - EVERYWHERE if option not in section(name)}, name


def test_nothing_else_is_there() -> None:
    listed = set(re.findall(r"^\| \[`([a-z -]+)`\]", PAGE, re.MULTILINE))
    assert listed == set(commands())
    known = set().union(*commands().values()) | {"--help", "--version"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= known


def section(command: str) -> str:
    for part in PAGE.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        if title == command or command in title.split(" and "):
            return text
    raise AssertionError(f"docs/cli.md has no section on {command}")
