"""Which bots.yaml is meant."""

from pathlib import Path

import pytest

from runner.cli.place import HERE, find_config


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_option_wins() -> None:
    HERE.touch()
    assert find_config(Path("x.yaml"), {"BOTRUNNER_CONFIG": "y.yaml"}) == Path("x.yaml")


def test_then_the_environment() -> None:
    HERE.touch()
    assert find_config(None, {"BOTRUNNER_CONFIG": "y.yaml"}) == Path("y.yaml")


def test_then_here_then_the_system(folder: Path) -> None:
    system = folder / "etc.yaml"
    assert find_config(None, {}, system) == HERE  # neither is there: the message names the one to write
    system.touch()
    assert find_config(None, {"BOTRUNNER_CONFIG": ""}, system) == system
    HERE.touch()
    assert find_config(None, {}, system) == HERE
