"""conversations: listed, shown, taken along, deleted; here in the store itself, and through a daemon."""

import asyncio
import json

import pytest

from runner.clock import SystemClock
from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.ports.mail import OutboxState
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import answer, inbound, spent
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk

YES = "--yes"


@pytest.fixture(autouse=True)
def shop(desk: Desk) -> None:
    """c1 is shared by anna and ben, c3 is anna's own with another bot."""
    desk.write()
    asyncio.run(_talk(desk))


async def _talk(desk: Desk) -> None:
    desk.state.mkdir(exist_ok=True)
    store = SqliteStore(desk.state / "botrunner.db", SystemClock())
    await store.open()
    for n, (user, lane, bot) in enumerate(
        [("anna", "room", "bot-1"), ("ben", "room", "bot-1"), ("anna", "own", "bot-2")]
    ):
        said = [
            message_to_json(UserMessage(f"asked {n}\x1b[2J")),
            message_to_json(AssistantMessage(f"told {n}")),
        ]
        await answer(store, inbound(f"e{n}", lane=lane, bot=bot), *said, user=user)
        await spent(store, f"t{n + 1}-1", 5, user=user, turn=f"t{n + 1}")
    await store.close()


def listed(desk: Desk, *options: str) -> set[str]:
    said = json.loads(desk.type("conversations", "list", "--json", *options).out)
    return {line["id"] for line in said["conversations"]}


def test_listed(desk: Desk) -> None:
    assert listed(desk) == {"c1", "c3"}
    assert listed(desk, "--bot", "bot-2") == listed(desk, "--limit", "1") == {"c3"}
    assert listed(desk, "--user", "ben") == {"c1"}
    assert listed(desk, "--user", "nobody") == set()
    shown = desk.type("conversations", "list", "--bot", "bot-1").out.splitlines()
    assert shown[0].split() == ["id", "bot", "channel", "user", "latest", "turns", "messages", "USD"]
    assert shown[1].split()[:4] == ["c1", "bot-1", "telegram", "anna"]
    assert desk.type("conversations", "list", "--user", "nobody").out == "There is no conversation.\n"


def test_shown_without_what_could_rewrite_a_terminal(desk: Desk) -> None:
    done = desk.type("conversations", "show", "c1")
    assert done.code == 0
    assert "anna> asked 0\ufffd[2J\nbot-1> told 0\n" in done.out
    assert "\x1b" not in done.out
    whole = json.loads(desk.type("conversations", "show", "c1", "--json").out)
    assert [turn["user"] for turn in whole["transcript"]] == ["anna", "ben"]
    none = desk.type("conversations", "show", "c9")
    assert (none.code, none.err) == (1, "error: there is no conversation 'c9' (any more)\n")


def test_an_export_holds_nobody_elses_words(desk: Desk) -> None:
    done = desk.type("conversations", "export", "--user", "anna")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {line["id"] for line in lines} == {"c1", "c3"}
    assert {turn["user"] for line in lines for turn in line["transcript"]} == {"anna"}
    assert "asked 1" not in done.out
    only = desk.type("conversations", "export", "--user", "anna", "--bot", "bot-2").out
    assert [json.loads(line)["id"] for line in only.splitlines()] == ["c3"]


def test_a_users_data_goes_and_the_money_stays(desk: Desk) -> None:
    assert desk.type("conversations", "delete", "--user", "anna").code == 2
    assert listed(desk) == {"c1", "c3"}
    done = desk.type("conversations", "delete", "--user", "anna", YES)
    assert (done.code, done.out) == (0, "all that anna said and was told: 9 rows deleted\n")
    assert desk.type("conversations", "export", "--user", "anna").out == ""
    assert listed(desk) == {"c1"}  # what ben said stays
    assert json.loads(desk.type("ledger", "verify", "--json").out)["calls"] == 3


def test_one_conversation_or_one_bot(desk: Desk) -> None:
    said = json.loads(
        desk.type("conversations", "delete", "--user", "anna", "--bot", "bot-2", YES, "--json").out
    )
    assert said == {"removed": 5, "left": False}
    assert desk.type("conversations", "delete", "c1", YES).code == 0
    assert listed(desk) == set()
    assert desk.type("conversations", "delete", "c1", YES).code == 1


@pytest.mark.parametrize("wrong", [[], ["c1", "--user", "anna"], ["c1", "--bot", "bot-1"]])
def test_what_is_to_go_must_be_said(desk: Desk, wrong: list[str]) -> None:
    assert desk.type("conversations", "delete", *wrong, YES).code == 2


def test_what_is_left_is_said(desk: Desk) -> None:
    async def on_its_way() -> None:
        store = SqliteStore(desk.state / "botrunner.db", SystemClock())
        await store.open()
        await answer(
            store, inbound("late", lane="late"), user="carl", parts=1, first_state=OutboxState.PENDING
        )
        await store.close()

    asyncio.run(on_its_way())
    done = desk.type("conversations", "delete", "--user", "carl", YES)
    assert done.code == 1
    assert "Something is left" in done.out


def test_a_running_daemon_is_asked(desk: Desk) -> None:
    gone = (200, {"removed": 7, "left": False})
    answers = {("POST", "/api/users/forget"): gone, ("DELETE", "/api/conversations/a%2Fb"): gone}
    with AdminDouble(desk.state, answers) as daemon:
        assert "7 rows" in desk.type("conversations", "delete", "--user", "anna", YES).out
        assert desk.type("conversations", "delete", "a/b", YES).code == 0
    assert [one for one in daemon.asked if one[0] != "GET"] == [
        ("POST", "/api/users/forget", {"user": "anna", "bot": None}),
        ("DELETE", "/api/conversations/a%2Fb", None),
    ]
    assert listed(desk) == {"c1", "c3"}
