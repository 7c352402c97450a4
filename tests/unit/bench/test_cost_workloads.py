"""Workloads are made from a seed or read from a file; what no chat can hold is mended, what is none is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.cost.making import MAKERS, Size, agent, support
from bench.cost.trajectories import BadTrajectory, read_workload
from bench.cost.workload import Call, Persona, Reply, Tool, Turn, Workload, moments
from runner.testing.prompt_cache import tokens_of

SMALL = Size(chats=4, turns=5)
USER = {"role": "user", "content": "Where is it?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "get order", "arguments": '{"id": 7}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "On its way."}
ANSWER = {"role": "assistant", "content": "It is on its way."}


def read(folder: Path, *lines: Mapping[str, Any], join: int = 1) -> Workload:
    file = folder / "chats.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return read_workload(file, join=join)


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_makes_the_same_workload_and_another_another(name: str) -> None:
    make = MAKERS[name]
    assert make(1, SMALL) == make(1, SMALL)
    assert make(1, SMALL) != make(2, SMALL)


@pytest.mark.parametrize("name", MAKERS)
def test_every_turn_ends_in_an_answer_and_only_there(name: str) -> None:
    made = MAKERS[name](1, SMALL)

    assert made.messages == SMALL.chats * (1 if name == "agent" else SMALL.turns)
    for turn in (turn for chat in made.chats for turn in chat.turns):
        assert [bool(reply.calls) for reply in turn.replies] == [True] * (len(turn.replies) - 1) + [False]
        assert turn.text.strip()
        assert turn.replies[-1].text.strip()


def test_the_support_bot_has_the_shape_of_the_real_one() -> None:
    made = support(1, Size(chats=10, turns=40))
    (persona,) = made.personas
    turns = [turn for chat in made.chats for turn in chat.turns]
    calls = [call for turn in turns for reply in turn.replies for call in reply.calls]
    sizes = sorted(tokens_of(call.result) for call in calls)

    assert 1500 <= tokens_of(persona.system) <= 2000
    assert 2000 <= sum(tokens_of(json.dumps(tool.parameters)) + 110 for tool in persona.tools) <= 3500
    assert 0.7 <= len(calls) / len(turns) <= 1.1
    assert 0.4 <= sum(len(turn.replies) > 1 for turn in turns) / len(turns) <= 0.5
    assert 170 <= sizes[len(sizes) // 2] <= 210 < sizes[-len(sizes) // 20] < 1200 < sizes[-1]


def test_the_agent_calls_tools_for_nearly_each_message() -> None:
    turns = [turn for chat in agent(1, Size(chats=10, turns=75)).chats for turn in chat.turns]
    calls = [sum(len(reply.calls) for reply in turn.replies) for turn in turns]

    assert set(calls) == {0, 2, 3, 4, 5, 6}
    assert 3 <= sum(calls) / len(calls) <= 4.5


def test_turns_come_in_the_order_of_time_each_chats_in_its_own() -> None:
    made = support(1, SMALL)
    order = moments(made)

    assert [moment.at_s for moment in order] == sorted(moment.at_s for moment in order)
    assert {
        number: [moment.turn for moment in order if moment.chat == number] for number in range(SMALL.chats)
    } == {number: list(range(SMALL.turns)) for number in range(SMALL.chats)}


def test_a_conversation_is_read_with_its_tools_and_gaps(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "get order", "description": "Finds.", "parameters": {}}}
    messages = [USER, CALL, RESULT, ANSWER, USER, ANSWER]
    made = read(tmp_path, {"system": "You help.", "tools": [tool], "messages": messages, "gaps_s": [5, 90]})

    schema = {"type": "object", "properties": {}, "additionalProperties": True}
    assert made.personas == (Persona("You help.", (Tool("get_order", "Finds.", schema),)),)
    called = Reply("", (Call("get_order", '{"id": 7}', "On its way."),))
    answered = Reply("It is on its way.")
    assert made.chats[0].turns == (
        Turn("Where is it?", (called, answered), gap_s=5.0),
        Turn("Where is it?", (answered,), gap_s=90.0),
    )


def test_what_no_chat_can_hold_is_mended(tmp_path: Path) -> None:
    greeting = {"role": "assistant", "content": "Hello!"}
    command = {"role": "user", "content": [{"type": "text", "text": "/reset"}]}
    made = read(
        tmp_path,
        {"traj": [{"role": "system", "content": "S"}, greeting, command, USER, CALL, RESULT, USER, ANSWER]},
    )

    assert made.personas[0].system == "S"
    assert [tool.name for tool in made.personas[0].tools] == ["get_order"]
    first, second = made.chats[0].turns
    assert first.text == "(/reset\nWhere is it?)"
    assert first.replies[-1] == Reply("Done.")
    assert second.replies == (Reply("It is on its way."),)


def test_conversations_in_a_row_become_one_chat(tmp_path: Path) -> None:
    line = {"system": "S", "messages": [USER, ANSWER]}

    assert [len(chat.turns) for chat in read(tmp_path, *[line] * 5, join=2).chats] == [2, 2, 1]


def test_missing_gaps_are_made_by_dice(tmp_path: Path) -> None:
    line = {"messages": [USER, ANSWER] * 30}
    (chat,), (again,) = (read(tmp_path, line).chats for _ in range(2))
    gaps = sorted(turn.gap_s for turn in chat.turns[1:])

    assert chat == again
    assert 0 <= chat.turns[0].gap_s <= 8 * 3600
    assert gaps[0] < 60 < gaps[-1] <= 12 * 3600


def test_a_file_may_be_one_array(tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text(json.dumps([{"messages": [USER, ANSWER]}] * 2))

    assert len(read_workload(file).chats) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no conversation"),
        ("{", ":1: "),
        ('{"messages": [{"role": "user", "content": "x"}]}', ":1: .*no message"),
        ("{}", ":1: KeyError"),
        (json.dumps({"messages": [USER, ANSWER]}) + "\n7", ":2: TypeError"),
    ],
)
def test_what_is_no_conversation_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)

    with pytest.raises(BadTrajectory, match=says):
        read_workload(file)
