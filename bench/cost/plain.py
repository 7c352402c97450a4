"""The baselines: a client of the bench that keeps a history and asks, as most bots do it.

Rules: nothing of botrunner is in between; the history is what was said, whole; a window, where there is one, is the
newest messages at the start of a turn, from the first user's message among them on, and grows with the turn. What a
call and its results take is counted as in botrunner's own window.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from bench.cost.workload import Chat, Persona, Turn, Workload

MOST_OUTPUT = 8192
MOST_TRIES = 10
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Habit:
    """How a baseline asks Anthropic; elsewhere there is nothing to mark.

    Attributes:
        window: None: everything.
        marks: `automatic`: `cache_control` of the whole request; `placed`: behind the system prompt and the two latest
            messages of the user's side, as a careful hand does it. Five minutes.
    """

    name: str
    window: int | None = None
    marks: Literal["automatic", "placed"] | None = None


NAIVE = Habit("full history")
WINDOW = Habit("window of 20", window=20)
CACHED = Habit("window of 20, cached", window=20, marks="automatic")
PLACED = Habit("window of 20, marks placed", window=20, marks="placed")
HABITS = (NAIVE, WINDOW, CACHED, PLACED)
EPHEMERAL = {"type": "ephemeral"}


class Failed(Exception):
    """The model's server refused a baseline."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the model asked for. `arguments`: JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing of a history: what a user wrote, what the model said, or what its calls brought (id -> text)."""

    text: str = ""
    calls: tuple[Called, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    of_user: bool = False


class PlainBot:
    """One client, all chats of a workload.

    Args:
        url: the model's server; `tools`: where tools are asked, by name.
    """

    def __init__(
        self, habit: Habit, workload: Workload, model: str, kind: str, *, url: str, tools: str
    ) -> None:
        self._habit = habit
        self._workload = workload
        self._model = model
        self._speech = Messages(habit.marks) if kind == "anthropic" else Completions()
        self._url = url
        self._tools = tools
        self._histories: dict[int, list[Step]] = {}

    async def ask(self, session: aiohttp.ClientSession, number: int, chat: Chat, turn: Turn) -> str:
        """One message of a user, to its answer. Raises Failed."""
        persona = self._workload.personas[chat.persona]
        history = self._histories.setdefault(number, [])
        history.append(Step(turn.seen, of_user=True))
        start = first_kept(history, self._habit.window)
        while True:
            said = await self._reply(session, persona, history[start:])
            history.append(said)
            if not said.calls:
                return said.text
            results = await asyncio.gather(*(self._tool(session, call) for call in said.calls))
            brought = {call.id: text for call, text in zip(said.calls, results, strict=True)}
            history.append(Step(results=brought))

    async def _reply(self, session: aiohttp.ClientSession, persona: Persona, steps: Sequence[Step]) -> Step:
        body = self._speech.body(self._model, persona, steps)
        for _ in range(MOST_TRIES):
            async with session.post(self._url + self._speech.path, json=body) as response:
                text = await response.text()
                if response.status == 200:
                    return self._speech.read(text)
                if response.status != 429:
                    raise Failed(f"{response.status}: {text[:300]}")
        raise Failed("refused again and again")

    async def _tool(self, session: aiohttp.ClientSession, call: Called) -> str:
        async with session.post(f"{self._tools}/{call.name}", json=json.loads(call.arguments)) as response:
            return await response.text()


def first_kept(history: Sequence[Step], window: int | None) -> int:
    """Where the newest so many begin, at a user's message."""
    start = 0 if window is None else max(0, len(history) - window)
    while not history[start].of_user:
        start += 1
    return start


class Messages:
    """Anthropic Messages."""

    path = "/v1/messages"

    def __init__(self, marks: Literal["automatic", "placed"] | None) -> None:
        self._marks = marks

    def body(self, model: str, persona: Persona, steps: Sequence[Step]) -> Json:
        """A request."""
        body: Json = {"model": model}
        if persona.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in sorted(persona.tools, key=lambda tool: tool.name)
            ]
        if persona.system:
            body["system"] = [{"type": "text", "text": persona.system}]
        body["messages"] = list(map(self._message, steps))
        body |= {"service_tier": "standard_only", "stream": True, "max_tokens": MOST_OUTPUT}
        if self._marks == "placed":
            ends = [message["content"] for message in body["messages"] if message["role"] == "user"][-2:]
            for blocks in (body.get("system") or body.get("tools"), *ends):
                if blocks:
                    blocks[-1]["cache_control"] = EPHEMERAL
        return body | ({"cache_control": EPHEMERAL} if self._marks == "automatic" else {})

    def _message(self, step: Step) -> Json:
        if step.results:
            results = [
                {"type": "tool_result", "tool_use_id": call, "content": text}
                for call, text in step.results.items()
            ]
            return {"role": "user", "content": results}
        said: list[Json] = [{"type": "text", "text": step.text}] if step.text else []
        uses = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
            for call in step.calls
        ]
        return {"role": "user" if step.of_user else "assistant", "content": [*said, *uses]}

    def read(self, text: str) -> Step:
        """The answer."""
        said = ""
        calls: dict[int, Called] = {}
        for event in _events(text):
            block, delta = event.get("content_block", {}), event.get("delta", {})
            if block.get("type") == "tool_use":
                calls[event["index"]] = Called(block["id"], block["name"], "")
            elif "partial_json" in delta:
                was = calls[event["index"]]
                calls[event["index"]] = Called(was.id, was.name, was.arguments + delta["partial_json"])
            said += delta.get("text", "")
        return Step(said, tuple(calls.values()))


class Completions:
    """Chat Completions."""

    path = "/v1/chat/completions"

    def body(self, model: str, persona: Persona, steps: Sequence[Step]) -> Json:
        """A request."""
        messages = [{"role": "system", "content": persona.system}] if persona.system else []
        for step in steps:
            messages += self._messages(step)
        body: Json = {"model": model, "messages": messages, "max_completion_tokens": MOST_OUTPUT}
        if persona.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in sorted(persona.tools, key=lambda tool: tool.name)
            ]
        return body | {"stream": True, "stream_options": {"include_usage": True}}

    def _messages(self, step: Step) -> list[Json]:
        if step.results:
            return [
                {"role": "tool", "tool_call_id": call, "content": text} for call, text in step.results.items()
            ]
        if not step.calls:
            return [{"role": "user" if step.of_user else "assistant", "content": step.text}]
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in step.calls
        ]
        return [{"role": "assistant", "content": step.text or None, "tool_calls": calls}]

    def read(self, text: str) -> Step:
        """The answer."""
        said = ""
        calls: dict[int, Called] = {}
        for event in _events(text):
            for choice in event["choices"]:
                said += choice["delta"].get("content") or ""
                for call in choice["delta"].get("tool_calls", ()):
                    was = calls.get(call["index"], Called(call.get("id", ""), "", ""))
                    function = call["function"]
                    name = was.name or function.get("name", "")
                    calls[call["index"]] = Called(was.id, name, was.arguments + function.get("arguments", ""))
        return Step(said, tuple(calls.values()))


def _events(text: str) -> list[Json]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]
