"""How a running daemon is found, and what is made of its answers."""

import json
import os
import subprocess
import sys

import pytest

from runner.cli.daemon import Daemon, Note, find_daemon, read_answer, read_note
from runner.errors import OperatorError
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import BOTS, Desk


def test_a_daemon_is_found_and_answers(desk: Desk, admin: AdminDouble) -> None:
    daemon = find_daemon(desk.bots_yaml, desk.state)
    assert daemon is not None
    assert daemon.bot_ids() == ["hello"]
    assert daemon.note.url == admin.url
    assert daemon.token not in repr(daemon)


def test_no_note_no_daemon(desk: Desk) -> None:
    assert find_daemon(desk.bots_yaml, desk.state) is None


def test_a_note_of_a_dead_process_is_stale(desk: Desk, admin: AdminDouble) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    admin.note(int(ended.stdout))
    assert find_daemon(desk.bots_yaml, desk.state) is None


def test_a_note_whose_address_nobody_listens_at_is_stale(desk: Desk) -> None:
    with AdminDouble(desk.state):
        pass
    assert (desk.state / "daemon.json").exists()
    assert find_daemon(desk.bots_yaml, desk.state) is None


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x", "url": "http://h:1"}', '{"pid": 1, "url": 5}']
)
def test_a_note_that_is_none(desk: Desk, said: str) -> None:
    note = desk.folder / "daemon.json"
    note.write_text(said, encoding="utf-8")
    assert read_note(note) is None


def test_notes(desk: Desk) -> None:
    note = desk.folder / "daemon.json"
    note.write_text(json.dumps({"pid": 7, "url": "http://[::1]:8080"}), encoding="utf-8")
    read = read_note(note)
    assert read == Note(7, "::1", 8080)
    assert read.url == "http://[::1]:8080"


@pytest.mark.usefixtures("admin")
def test_a_token_with_another_secret_is_explained(desk: Desk) -> None:
    desk.write("server: {jwt_secret: another secret that is long enough for HS256}\n" + BOTS)
    done = desk.type("status")
    assert done.code == 1
    assert done.err.startswith("error: the daemon does not let us in: ")
    assert "hint: use the same bots.yaml" in done.err


@pytest.mark.usefixtures("admin")
def test_a_faulty_file_does_not_hide_the_daemon(desk: Desk) -> None:
    desk.write("bots: 5\n")
    daemon = find_daemon(desk.bots_yaml, desk.state)
    assert daemon is not None
    assert daemon.bot_ids() == ["hello"]


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (502, b"{}"), (500, b'{"error": "x"}'), (200, b"[]")]
)
def test_what_is_no_answer_of_ours(status: int, body: bytes) -> None:
    with pytest.raises(OperatorError, match=f"cannot be understood .HTTP {status}"):
        read_answer(status, body)


def test_a_refusal_with_details() -> None:
    refusal = {
        "error": {"message": "the body has faults", "details": [{"field": "cap", "message": "too high"}]}
    }
    with pytest.raises(OperatorError, match=r"^the body has faults; cap: too high$"):
        read_answer(400, json.dumps(refusal).encode())


def test_a_daemon_that_hangs_up(desk: Desk) -> None:
    with AdminDouble(desk.state) as double:
        note = read_note(desk.state / "daemon.json")
    assert note is not None
    assert note.pid == os.getpid()
    with pytest.raises(OperatorError, match=f"did not answer as it should .* at {double.url}"):
        Daemon(note, "token").status()
