"""The commands beside a real daemon, as processes, and the talk at a real terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from tests.guards.tree import ROOT

pytestmark = pytest.mark.e2e

BOTS = """\
server: {port: 0}
bots:
  hello:
    platform: custom
    llm_provider: echo
    llm_model: echo
    spending_cap_cents: 100
    system_prompt: You are kind.
"""
COMMAND = [sys.executable, "-m", "runner"]
WITHIN_S = 60.0


class Machine:
    """A folder with a bots.yaml, and processes that work in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.note = folder / "state" / "daemon.json"
        self.environ = {
            **os.environ,
            "BOTRUNNER_STATE": str(folder / "state"),
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
        }
        (folder / "bots.yaml").write_text(BOTS, encoding="utf-8")

    def type(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[bytes]"]:
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, "run"], cwd=self.folder, env=self.environ, stdout=log, stderr=log
            )
        try:
            end = time.monotonic() + WITHIN_S
            while not self.note.exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            assert self.note.exists(), (self.folder / "log").read_text(encoding="utf-8")
            yield process
        finally:
            process.terminate()
            process.wait(WITHIN_S)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Terminal:
    """A process at a pseudo-terminal: text is waited for, then keys are pressed."""

    def __init__(self, machine: Machine, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self._answers: tuple[str, str] | None = None
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=machine.folder,
            env=machine.environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self._ours, 4096).decode()

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def press_at_each(self, text: str, keys: str) -> None:
        """From now on, press these keys each time this text is shown."""
        self._answers = (text, keys)

    def end(self) -> int:
        late = Timer(WITHIN_S, self.process.send_signal, [signal.SIGABRT])  # it then shows where it stands
        late.start()
        try:
            while piece := os.read(self._ours, 4096):
                self.shown += piece.decode()
                if self._answers and self.shown.endswith(self._answers[0]):
                    self.press(self._answers[1])
        except OSError:  # how Linux says that the other side is closed
            pass
        code = self.process.wait(WITHIN_S)
        late.cancel()
        os.close(self._ours)
        return code


def test_everything_that_talks_to_the_daemon(machine: Machine) -> None:
    with machine.daemon():
        said = machine.type("chat", "hello", "--json", stdin="one\ntwo\n")
        assert [json.loads(line)["stop_reason"] for line in said.stdout.splitlines()] == ["answered"] * 2

        status = json.loads(machine.type("status", "--json").stdout)
        assert status["bots"][0]["connections"][0]["state"] == "up"
        assert status["bots"][0]["spent_usd"] != "0.00"
        assert machine.type("status").stdout.startswith("bot ")

        changed = machine.type("cap", "hello", "2.50")
        assert changed.stdout.startswith("hello has a cap of 2.50 USD now; 0.000")
        assert "    spending_cap_cents: 250\n" in (machine.folder / "bots.yaml").read_text(encoding="utf-8")
        assert json.loads(machine.type("status", "--json").stdout)["bots"][0]["spending_cap_cents"] == 250

        usage = json.loads(machine.type("usage", "--json").stdout)
        assert usage["total"]["calls"] == 2
        assert usage["total"]["cost_usd"] == status["bots"][0]["spent_usd"]
        assert machine.type("ledger", "verify").returncode == 0
    assert machine.type("status").returncode == 1


def test_after_a_kill_there_is_no_daemon(machine: Machine) -> None:
    with machine.daemon() as process:
        process.send_signal(signal.SIGKILL)
        process.wait(WITHIN_S)
    assert machine.note.exists()
    done = machine.type("status")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no daemon is running")
    assert machine.type("chat", "hello", "-m", "Hi").returncode == 0


def test_a_second_daemon_on_one_store_says_who_has_it(machine: Machine) -> None:
    with machine.daemon() as process:
        done = machine.type("run")
    assert done.returncode == 1
    assert f"(pid {process.pid})" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_talk_at_a_terminal(machine: Machine) -> None:
    terminal = Terminal(machine, "chat", "hello")
    terminal.wait_for("you> ")
    terminal.press("Good day\n")
    terminal.wait_for("USD")
    terminal.press("/quit\n")
    assert terminal.end() == 0
    assert "You are talking to hello." in terminal.shown
    assert re.search(r"\x1b\[2m.* tokens in, .* out · .* USD · .* ms · echo/echo", terminal.shown)


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
def test_leaving_by_a_key(machine: Machine, key: str, code: int) -> None:
    terminal = Terminal(machine, "chat", "hello")
    terminal.wait_for("you> ")
    terminal.press(key)
    if key == "\x03":  # no controlling terminal here that would make a signal of the key
        terminal.process.send_signal(signal.SIGINT)
        # A signal between a prompt and the reading of keys is seen with the next line, and a busy machine may
        # bring it as late as between the next prompt and its keys.
        terminal.press("\n")
        terminal.press_at_each("you> ", "\n")
    assert terminal.end() == code, terminal.shown
    assert "Traceback" not in terminal.shown
    assert machine.type("ledger", "verify").returncode == 0


def test_a_reader_that_goes_away_is_no_traceback(machine: Machine) -> None:
    process = subprocess.Popen(
        [*COMMAND, "prices"],
        cwd=machine.folder,
        env=machine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    process.wait(WITHIN_S)
    assert "Traceback" not in error
    assert "BrokenPipe" not in error


def test_a_users_data_goes_while_the_daemon_runs(machine: Machine) -> None:
    with machine.daemon():
        said = json.loads(machine.type("chat", "hello", "--message", "remember me", "--json").stdout)
        assert said["response"]
        [line] = json.loads(machine.type("conversations", "list", "--json").stdout)["conversations"]
        assert "remember me" in machine.type("conversations", "show", line["id"]).stdout
        exported = machine.type("conversations", "export", "--user", line["user"]).stdout
        assert json.loads(exported)["id"] == line["id"]
        delete = ("conversations", "delete", "--user", line["user"], "--yes", "--json")
        while json.loads(machine.type(*delete).stdout)["left"]:
            pass  # the answer is written down as sent a moment after it was read
        assert machine.type("conversations", "export", "--user", line["user"]).stdout == ""
        found = machine.type("doctor", "--json")
        assert (found.returncode, json.loads(found.stdout)) == (0, {"ok": True, "findings": []})
        refused = machine.type("store", "vacuum")
        assert refused.returncode == 1
        assert "in use by another daemon" in refused.stderr
