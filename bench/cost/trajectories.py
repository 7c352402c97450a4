"""Conversations that really were, from a file: JSONL, one conversation a line (or one JSON array of them).

    {"system": "You help …",                          or a first message with the role `system`
     "tools": [{"type": "function", "function": {"name": …, "description": …, "parameters": {…}}}],   may be missing
     "messages": [{"role": "user", "content": "…"},
                  {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "function":
                      {"name": "get_order", "arguments": "{\"id\": 7}"}}]},
                  {"role": "tool", "tool_call_id": "c1", "content": "…"},
                  {"role": "assistant", "content": "It is on its way."}],
     "gaps_s": [0, 95, 40]}                           seconds before each user message; may be missing

Rules: missing gaps are made by dice, as those of the shipped workloads: a minute or so, now and then hours, and chats
begin within eight hours. `traj` stands for `messages` as well, as the files of one well-known benchmark have it. What
no chat can hold is mended: what the assistant says before anybody asked is left out, messages of a user in a row are
one, a turn without an answer gets one. A line that is no conversation is a fault that names the line.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cost.making import HOUR_S, gap_s
from bench.cost.workload import Call, Chat, Persona, Reply, Tool, Turn, Workload

CLOSING = "Done."
EMPTY = "(empty)"
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64


class BadTrajectory(ValueError):
    """What is wrong with a file, with its line."""


def read_workload(path: Path, *, join: int = 1, seed: int = 1) -> Workload:
    """The file's workload; `join` conversations in a row become one long chat. `seed`: of the dice for missing gaps.

    Raises:
        BadTrajectory: a line is no conversation, or there is none.
        OSError: the file cannot be read.
    """
    dice = random.Random(seed)
    personas: list[Persona] = []
    chats: list[Chat] = []
    for number, raw in _lines(path):
        try:
            goes_on = join > 1 and bool(chats) and number % join != 1
            persona, turns = _conversation(raw, dice, goes_on=goes_on)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadTrajectory(f"{path}:{number}: {type(error).__name__}: {error}") from error
        if persona not in personas:
            personas.append(persona)
        which = personas.index(persona)
        if goes_on and chats[-1].persona == which:
            last = chats.pop()
            chats.append(Chat(last.id, last.turns + turns, which))
        else:
            chats.append(Chat(f"c{number}", turns, which))
    if not chats:
        raise BadTrajectory(f"{path}: there is no conversation in it")
    return Workload(path.stem, tuple(personas), tuple(chats))


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        yield from enumerate(json.loads(text), 1)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise BadTrajectory(f"{path}:{number}: {error}") from error


def _conversation(
    raw: Mapping[str, Any], dice: random.Random, *, goes_on: bool
) -> tuple[Persona, tuple[Turn, ...]]:
    messages = list(raw["messages"] if "messages" in raw else raw["traj"])
    system = raw.get("system") or ""
    while messages and messages[0]["role"] in {"system", "developer"}:
        system = "\n\n".join(part for part in (system, _text(messages.pop(0).get("content"))) if part)
    tools = tuple(map(_tool, raw.get("tools") or _guessed(messages)))
    turns = tuple(_turns(messages))
    first = gap_s(dice) if goes_on else dice.uniform(0, 8 * HOUR_S)
    gaps = [first, *(gap_s(dice) for _ in turns)]
    given = [float(gap) for gap in raw.get("gaps_s") or ()]
    turns = tuple(
        replace(turn, gap_s=gap) for turn, gap in zip(turns, (*given, *gaps[len(given) :]), strict=False)
    )
    if not turns:
        raise BadTrajectory("no message of a user")
    return Persona(_clean(system), tools), turns


def _turns(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    results = {
        message["tool_call_id"]: _text(message.get("content")) or EMPTY
        for message in messages
        if message["role"] == "tool"
    }
    asked: list[str] = []
    replies: list[Reply] = []
    for message in (*messages, {"role": "user", "content": ""}):
        if message["role"] == "user":
            if replies:
                yield _turn(asked, replies)
                asked, replies = [], []
            asked.append(_text(message.get("content")))
        elif message["role"] == "assistant" and any(asked):
            calls = tuple(_call(call, results) for call in message.get("tool_calls") or ())
            replies.append(Reply(_text(message.get("content")), calls))


def _turn(asked: Sequence[str], replies: Sequence[Reply]) -> Turn:
    """All steps with tools, then one answer."""
    steps = [reply for reply in replies if reply.calls]
    said = "\n\n".join(reply.text for reply in replies if not reply.calls and reply.text)
    text = "\n".join(part for part in asked if part)
    text = f"({text})" if text.startswith("/") else text  # it would be a command
    return Turn(text, (*steps, Reply(said or CLOSING)))


def _call(raw: Mapping[str, Any], results: Mapping[str, str]) -> Call:
    function = raw["function"]
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    if not isinstance(json.loads(arguments), dict):
        raise BadTrajectory(f"the arguments of {function['name']} are no object")
    return Call(_name(function["name"]), arguments, results.get(raw.get("id", ""), EMPTY))


def _tool(raw: Mapping[str, Any]) -> Tool:
    function = raw.get("function", raw)
    parameters = function.get("parameters") or function.get("input_schema") or {}
    return Tool(
        _name(function["name"]),
        _clean(function.get("description") or function["name"]),
        {"type": "object", "properties": {}, **parameters, "additionalProperties": True},
    )


def _guessed(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tools that were called, where nobody says what tools there were."""
    names = {
        call["function"]["name"] for message in messages for call in message.get("tool_calls") or () if call
    }
    return [{"name": name, "description": f"{name}, as it was called."} for name in sorted(names)]


def _text(content: object) -> str:
    """A message's text; of a list of parts, those that are text."""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return _clean(content if isinstance(content, str) else "")


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode().strip()


def _name(name: str) -> str:
    return _ODD.sub("_", name)[:_LONGEST_NAME]
