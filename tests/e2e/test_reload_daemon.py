"""The three ways to have bots.yaml read again, on a real daemon with the real command."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_cli_with_daemon import Machine

pytestmark = pytest.mark.e2e

WITHIN_S = 60.0


class Operator:
    """Someone at the machine, who edits the file and looks into the log."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.file = machine.folder / "bots.yaml"

    def edit(self, old: str, new: str) -> None:
        """As editors do: another file takes its place."""
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        fresh = self.file.with_name(".bots.yaml.swp")
        fresh.write_text(text.replace(old, new), encoding="utf-8")
        fresh.replace(self.file)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of that name."""
        log = (self.machine.folder / "log").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def told(self, name: str, count: int) -> list[dict[str, Any]]:
        """Wait until the log says so this often."""
        end = time.monotonic() + WITHIN_S
        while len(found := self.events(name)) < count:
            assert time.monotonic() < end, (self.machine.folder / "log").read_text(encoding="utf-8")
            time.sleep(0.02)
        return found


def test_a_signal_a_command_and_a_changed_file(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    operator = Operator(machine)
    operator.edit("server: {port: 0}", "server: {port: 0}\nreload: off")
    with machine.daemon() as process:
        operator.edit("You are kind.", "You are brief.")
        os.kill(process.pid, signal.SIGHUP)
        [told] = operator.told("reloaded", 1)
        assert (told["reason"], told["changed"]) == ("SIGHUP", "hello")

        operator.edit("reload: off\n", "")
        operator.edit("spending_cap_cents: 100", "spending_cap_cents: 200")
        done = machine.type("reload")
        assert (done.returncode, done.stdout) == (0, "changed: hello\nalso in force: reload\n")

        operator.edit("llm_model: echo", "llm_modle: echo")
        operator.told("bots.yaml cannot be used: the last good one goes on", 1)
        done = machine.type("reload")
        assert (done.returncode, done.stdout) == (1, "")
        assert "bots.hello.llm_modle: unknown field, did you mean llm_model?" in done.stderr
        assert "bots.yaml cannot be used" in machine.type("status").stdout

        operator.edit("llm_modle: echo", "llm_model: echo\n    name: Hello again")
        told = operator.told("reloaded", 3)[-1]
        assert (told["reason"], told["changed"]) == ("the file changed", "hello")
        assert len(operator.events("bots.yaml cannot be used: the last good one goes on")) == 1
