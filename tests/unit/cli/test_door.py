"""The door: the way in without typer, exit codes, errors without tracebacks."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runner import __version__
from runner.cli.main import PlainRun, leaves, main, plain_run
from runner.errors import IllegalStep, OperatorError, StoreError, StoreRefused
from tests.guards.tree import ROOT
from tests.unit.cli.desk import Desk


@pytest.mark.parametrize(
    ("typed", "config"),
    [
        ("run", None),
        ("run --config x.yaml", Path("x.yaml")),
        ("run -c x.yaml", Path("x.yaml")),
        ("--config x.yaml run", Path("x.yaml")),
        ("run --config=x.yaml", Path("x.yaml")),
        ("--config=x.yaml run", Path("x.yaml")),
    ],
)
def test_a_plain_run(typed: str, config: Path | None) -> None:
    assert plain_run(typed.split()) == PlainRun(config)


@pytest.mark.parametrize(
    "typed",
    ["", "run --help", "run --config", "run --config --help", "run --config=", "runs", "run x", "check"],
)
def test_everything_else_is_for_typer(typed: str) -> None:
    assert plain_run(typed.split()) is None


def test_the_way_to_the_daemon_loads_nothing_of_the_other_commands() -> None:
    code = "import sys, runner.cli.main, runner.app; print(*{'typer', 'rich', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_faulty_file_keeps_the_daemon_from_starting(desk: Desk) -> None:
    desk.write("bots:\n  hello:\n    llm_modle: echo\n")
    done = desk.type("run")
    assert done.code == 1
    assert "bots.yaml:3: bots.hello.llm_modle: unknown field, did you mean llm_model?" in done.err
    assert "hint: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperatorError("the port is taken"), 1),
        (StoreRefused("a newer schema"), 1),
        (StoreError("the disk is full"), 75),
        (ExceptionGroup("", [StoreError("the disk is full"), OperatorError("the port is taken")]), 1),
        (IllegalStep("held twice"), 70),
        (ValueError("a bug"), 70),
    ],
)
def test_what_is_worth_another_start(desk: Desk, error: Exception, code: int) -> None:
    """systemd starts the daemon again but for 1 and 2."""

    def run_daemon(*_: object) -> int:
        raise error

    desk.monkeypatch.setattr("runner.app.run_daemon", run_daemon)
    desk.monkeypatch.setattr(sys, "argv", ["botrunner", "run"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    assert ("Traceback" in desk.capsys.readouterr().err) == (code == 70)


def test_leaves_of_groups_in_groups() -> None:
    first, second = ValueError("1"), ValueError("2")
    assert leaves(ExceptionGroup("", [ExceptionGroup("", [first]), second])) == [first, second]


def test_an_error_from_inside_task_groups_is_a_sentence_too(desk: Desk) -> None:
    """A port that is taken: found when the daemon's tasks run already."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        desk.write(
            f"server: {{port: {port}}}\nbots:\n  hello:\n    platform: custom\n    llm_provider: echo\n"
            "    llm_model: echo\n    system_prompt: You are kind.\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "runner", "run", "--config", desk.bots_yaml],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 1
    assert f"error: cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_version(desk: Desk) -> None:
    assert desk.type("--version").out == f"botrunner {__version__}\n"


@pytest.mark.parametrize("typed", ["nonsense", "check --nonsense", "cap hello", "ledger nonsense"])
def test_what_is_not_understood_is_usage(desk: Desk, typed: str) -> None:
    assert desk.type(*typed.split()).code == 2


def test_help_of_every_command_has_an_example(desk: Desk) -> None:
    listing = desk.type("--help").out
    for command in ("run", "check", "init", "chat", "status", "cap", "usage", "prices", "token", "schema"):
        assert command in listing
        assert f"Example: botrunner {command}" in desk.type(command, "--help").out
    assert "Example: botrunner ledger verify" in desk.type("ledger", "verify", "--help").out


def test_config_before_and_after_the_command(desk: Desk) -> None:
    desk.write()
    desk.bots_yaml.rename("shop.yaml")
    assert desk.type("check").code == 1
    assert desk.type("--config", "shop.yaml", "check").code == 0
    assert desk.type("check", "--config", "shop.yaml").code == 0
    assert desk.type("--config", "none.yaml", "check", "-c", "shop.yaml").code == 0
    assert desk.type("--config", "shop.yaml", "check", "-c", "none.yaml").code == 1


def test_no_file_is_no_traceback(desk: Desk) -> None:
    done = desk.type("check")
    assert done == type(done)(
        1,
        "",
        "error: there is no bots.yaml\nhint: `botrunner init` writes one; --config FILE names another\n",
    )
