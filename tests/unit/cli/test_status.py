"""status."""

import io
import json
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from runner.cli.status import bot_rows, closing_line, spend
from runner.cli.status_fleet import fleet_rows
from tests.unit.cli.admin import HELLO, AdminDouble
from tests.unit.cli.desk import Desk

FIRST = {"channel": "custom", "platform": "custom", "state": "up", "why": ""}
STATUS = {
    "pid": 7,
    "started_at": "2026-11-22T10:00:00.000Z",
    "bots": [HELLO],
    "outbox": {"pending": 0, "unknown": 2},
    "possibly_doubled": 1,
    "loop_lag_ms": 0.1,
}


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def plain(rows: list[Any]) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in rows]


def test_no_daemon(desk: Desk) -> None:
    desk.write()
    done = desk.type("status")
    assert done.code == 1
    assert done.err.startswith(f"error: no daemon is running (state folder {desk.state})\nhint: ")


def test_a_table(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["GET", "/api/status"] = (200, STATUS)
    lines = desk.type("status").out.splitlines()
    assert lines[0].split() == ["bot", "channel", "connection", "spent", "cap", "used", "waiting", "why"]
    assert lines[1].split() == ["hello", "custom", "up", "0.50", "1.00", "████████░░░░░░░░", "50", "%", "3"]
    assert (
        lines[2]
        == f"daemon at {admin.url}, pid 7, since 2026-11-22T10:00:00.000Z, 2 answers unknown, 1 possibly sent twice"
    )


def a_daemon(**changes: Any) -> dict[str, Any]:
    return {
        "name": "one/7",
        "version": "1.0",
        "state": "alive",
        "here": False,
        "started_at": "10:00",
        "ended_at": None,
        "connections": 3,
        "connections_up": 2,
        "holds": ["hello/telegram", "work batches"],
        "lanes": 4,
        "waiting": 5,
        "lag_ms": 6,
        "config": "0123456789abcdef",
        **changes,
    }


def test_daemons_of_a_fleet(desk: Desk, admin: AdminDouble) -> None:
    gone = a_daemon(name="two/8", state="gone", ended_at="11:00")
    fleet = {"daemons": [a_daemon(here=True), gone], "files": 2}
    held = {**HELLO, "connections": [{**FIRST, "held_by": "one/7"}]}
    admin.answers["GET", "/api/status"] = (200, {**STATUS, "bots": [held], "fleet": fleet})
    lines = desk.type("status").out.splitlines()
    assert lines[1].endswith("on one/7")
    assert lines[3].split() == [
        *("daemon", "version", "state", "up", "turns", "waiting", "lag", "bots.yaml", "holds")
    ]
    assert lines[4].split() == [
        *("one/7", "(here)", "1.0", "since", "10:00", "2/3", "4", "5", "6", "ms", "01234567"),
        *("hello/telegram,", "work", "batches"),
    ]
    assert lines[5].split() == ["two/8", "1.0", "gone", "since", "11:00"]
    assert lines[6].startswith("the daemons have 2 different bots.yaml in force")


def test_who_is_gone_is_dim() -> None:
    [alive, gone] = fleet_rows({"daemons": [a_daemon(), a_daemon(state="gone", ended_at="11:00")]})
    assert {cell.style for cell in alive if isinstance(cell, Text)} == {""}
    assert {cell.style for cell in gone if isinstance(cell, Text)} == {"dim"}


def test_tools_that_are_off_are_told(desk: Desk, admin: AdminDouble) -> None:
    servers = [
        {"name": "shop", "tools": [], "why": "it ended (exit code 3)"},
        {"name": "mail", "tools": ["mail__send"], "why": ""},
    ]
    admin.answers["GET", "/api/status"] = (200, {**STATUS, "bots": [{**HELLO, "tool_servers": servers}]})
    assert desk.type("status").out.splitlines()[3:] == [
        "hello is without the tools of shop: it ended (exit code 3)"
    ]


def test_what_of_the_file_is_not_in_force(desk: Desk, admin: AdminDouble) -> None:
    config = {
        "ok": False,
        "loaded_at": "2026-11-22T10:00:00.000Z",
        "fault": ["bots.yaml:1: odd", "bots.yaml:2: [odder]"],
        "needs_restart": ["server.port"],
    }
    admin.answers["GET", "/api/status"] = (200, {**STATUS, "health": {"config": config}})
    assert desk.type("status").out.splitlines()[3:] == [
        "bots.yaml cannot be used: the one read at 2026-11-22T10:00:00.000Z goes on",
        "bots.yaml:1: odd",
        "bots.yaml:2: [odder]",
        "in force after a restart only: server.port",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "health: ready"),
        (
            {"status": "failing", "store": {"ok": False, "why": "disk [full]"}},
            "health: failing: the store takes nothing: disk [full]",
        ),
        (
            {
                "status": "failing",
                "loop": {"ok": False, "lag_ms": 1500.5},
                "connections": {"ok": False},
            },
            "health: failing: the event loop is 1500.5 ms late; no connection works",
        ),
    ],
)
def test_what_its_probes_found(desk: Desk, admin: AdminDouble, changes: dict[str, Any], line: str) -> None:
    fine = {"ok": True, "lag_ms": 0.0, "why": ""}
    health = {"status": "ready", "loop": fine, "store": fine, "connections": fine, **changes}
    admin.answers["GET", "/api/status"] = (200, {**STATUS, "health": health})
    assert desk.type("status").out.splitlines()[3:] == [line]


def test_json(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["GET", "/api/status"] = (200, STATUS)
    assert json.loads(desk.type("status", "--json").out) == {"url": admin.url, **STATUS}


def test_a_bot_on_two_channels_shows_its_money_once(console: Console) -> None:
    second = {"channel": "telegram", "platform": "telegram", "state": "refused", "why": "bad\x1b[2Jtoken"}
    rows = plain(bot_rows(console, {**HELLO, "connections": [FIRST, second]}))
    assert [row[0] for row in rows] == ["hello", ""]
    assert rows[1][1:] == ["telegram", "refused", "", "", "", "", "bad\N{REPLACEMENT CHARACTER}[2Jtoken"]


def test_a_bot_that_rests(console: Console) -> None:
    [row] = plain(bot_rows(console, {**HELLO, "enabled": False, "connections": []}))
    assert row[:3] == ["hello", "custom", "off"]


def test_spend_without_a_cap_and_with_a_cap_of_nothing(console: Console) -> None:
    assert spend(console, {**HELLO, "spending_cap_cents": None}) == ("0.50", "none", "")
    assert spend(console, {**HELLO, "spending_cap_cents": 0}) == ("0.50", "0.00", "█" * 16)


def test_the_closing_line_of_a_quiet_daemon() -> None:
    quiet = {**STATUS, "outbox": {}, "possibly_doubled": 0}
    assert closing_line("http://x", quiet) == "daemon at http://x, pid 7, since 2026-11-22T10:00:00.000Z"
