"""A tool server that is a program and does what no server should: `python -I -S tool_program.py [HABIT…]`.

It speaks MCP over its pipes by hand, a JSON object a line, so that it can also speak it wrongly. What it does on a call
is the called tool's name (`TOOLS`); what it does all the time are its habits:

    mute       answers nothing at all
    stubborn   neither the end of its input nor SIGTERM ends it
    listless   has no tools/list
    crowded    has 200 tools besides
    rude       asks its client for a sampled answer before it answers a call

It needs nothing but Python's own library, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

TOOLS: Mapping[str, str] = {
    "echo": "answers with `text`",
    "fail": "answers that the tool failed: `text`",
    "refuse": "answers with a protocol error: `text`",
    "nonsense": "answers with what is no result of a call",
    "chatter": "writes what is no message, then answers",
    "huge": "answers with `chars` characters",
    "endless": "writes a line of `chars` characters that holds no message",
    "hang": "does not answer",
    "die": "ends with exit code 3 in place of an answer",
    "learn": "has one tool more from now on and says so",
    "picture": "answers with a picture, a file, a link and a text",
    "bare": "answers with a structured value only",
    "surroundings": "answers with its environment variables",
    "complain": "writes `text` to its standard error",
    "breed": "starts a program that sleeps, and answers with its process id",
}
_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"text": {"type": "string"}, "chars": {"type": "integer"}},
}
_VERSION = "2025-11-25"


def text(words: str) -> dict[str, Any]:
    """A result of one text."""
    return {"content": [{"type": "text", "text": words}]}


class Program:
    """The server's state: its habits, and what it has learnt."""

    def __init__(self, habits: list[str]) -> None:
        self.habits = habits
        self.learnt = 0

    def serve(self) -> None:
        """Until the end of the input; a stubborn one goes on sleeping."""
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message and "method" in message and "mute" not in self.habits:
                self.answer(message["id"], message["method"], message.get("params", {}))
        while "stubborn" in self.habits:
            signal.pause()

    def answer(self, number: int | str, method: str, params: Mapping[str, Any]) -> None:
        """Answer one request, or do worse."""
        if method == "initialize":
            about = {"name": "tool_program", "version": "1"}
            can = {"tools": {"listChanged": True}}
            self.result(number, {"protocolVersion": _VERSION, "capabilities": can, "serverInfo": about})
        elif method == "tools/list" and "listless" not in self.habits:
            self.result(number, {"tools": self.tools()})
        elif method == "tools/call":
            if "rude" in self.habits:
                asked = {"messages": [], "maxTokens": 1}
                send({"jsonrpc": "2.0", "id": "rude", "method": "sampling/createMessage", "params": asked})
            result = self.call(number, str(params["name"]), params.get("arguments", {}))
            if result is not None:
                self.result(number, result)
        else:
            self.error(number, -32601, f"there is no {method}")

    def tools(self) -> list[dict[str, Any]]:
        """Its tools, as MCP lists them."""
        more = {f"learnt{count}": "learnt" for count in range(self.learnt)}
        if "crowded" in self.habits:
            more |= {f"crowd{count:03d}": "one of many" for count in range(200)}
        return [
            {
                "name": name,
                "description": about,
                "inputSchema": _SCHEMA,
                "annotations": {"readOnlyHint": name == "echo", "idempotentHint": name == "bare"},
            }
            for name, about in (dict(TOOLS) | more).items()
        ]

    def call(self, number: int | str, name: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Do what the tool's name says; None: there is nothing more to answer."""
        words, chars = str(given.get("text", "")), int(given.get("chars", 0))
        doings: dict[str, Callable[[], dict[str, Any] | None]] = {
            "echo": lambda: text(words),
            "fail": lambda: text(words) | {"isError": True},
            "refuse": lambda: self.error(number, -32000, words),
            "nonsense": lambda: {"content": 7},
            "chatter": lambda: self.chatter(words),
            "huge": lambda: text("x" * chars),
            "endless": lambda: write("x" * chars),
            "hang": lambda: None,
            "die": lambda: sys.exit(3),
            "learn": self.learn,
            "picture": picture,
            "bare": lambda: {"content": [], "structuredContent": {"stock": 3}},
            "surroundings": lambda: text(json.dumps(dict(os.environ))),
            "complain": lambda: self.complain(words),
            "breed": breed,
        }
        return doings[name]()

    def learn(self) -> dict[str, Any]:
        """One tool more."""
        self.learnt += 1
        send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        return text("learnt")

    def chatter(self, words: str) -> dict[str, Any]:
        """What is no message, and what looks like one."""
        write("starting up ...\n\n{]\n[1, 2]\n")
        send({"jsonrpc": "2.0", "id": 99_999, "result": {}})
        send({"jsonrpc": "2.0", "method": "notifications/unheard_of", "params": {}})
        return text(words)

    def complain(self, words: str) -> dict[str, Any]:
        """To its standard error."""
        print(words, file=sys.stderr, flush=True)  # noqa: T201 - this is a program
        return text("complained")

    def result(self, number: int | str, result: Mapping[str, Any]) -> None:
        """A good answer."""
        send({"jsonrpc": "2.0", "id": number, "result": result})

    def error(self, number: int | str, code: int, message: str) -> None:
        """A protocol error."""
        send({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}})


def picture() -> dict[str, Any]:
    """A result of each kind."""
    blob = {"uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": "AAAA"}
    return {
        "content": [
            {"type": "image", "data": "AAAA" * 100, "mimeType": "image/png"},
            {"type": "audio", "data": "AAAA", "mimeType": "audio/ogg"},
            {"type": "resource", "resource": blob},
            {"type": "resource", "resource": {"uri": "note://1", "text": "a note"}},
            {"type": "resource_link", "name": "more", "uri": "https://example.com/more"},
            {"type": "text", "text": "that is all"},
        ]
    }


def breed() -> dict[str, Any]:
    """A program of its own, which would outlive it."""
    child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)  # noqa: S607 - wherever it is
    return text(str(child.pid))


def send(message: Mapping[str, Any]) -> None:
    """One message."""
    write(json.dumps(message) + "\n")


def write(words: str) -> None:
    """To its standard output."""
    sys.stdout.write(words)
    sys.stdout.flush()


if __name__ == "__main__":
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Program(sys.argv[1:]).serve()
