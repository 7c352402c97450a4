"""The model and the tools of a workload: whoever asks, the chat goes on as it is written.

Rules: one turn is played at a time, so whose request it is need not be guessed: its end says where in the turn it is
(the user's message, or the results of calls that this player asked for). A request that is no part of the chat (a
summary, a classifier's question) is side work: it is answered, and billed like any other. Nothing is taken on trust:
what does not fit the turn, or leaves it before its end, is kept in `strange`.

What is sent for one chat is compared with what was sent for it before: it goes on from it byte by byte (`extended`),
or more of the chat is left out and what stands before the messages is the same (`moved`), or it differs all the same
(`broken`), which costs the cache and must not happen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.cost.workload import Call, Chat, Reply, Turn, Workload, answer_s
from runner.conversations.models import ToolCall
from runner.testing.driven_clock import DrivenClock
from runner.testing.model_script import Behaviour, Fault, Say

SUMMARY = (
    "The user asked about their booking and a refund. Reservation, dates and the fare were looked up; what was "
    "asked for was done, and confirmed with its number. Open: a question about baggage."
)
BUSY = Fault(429, "made to fail", retry_after="0")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for the chat: how many messages it had, and how many the chat had by then."""

    chat: int
    turn: int
    model: str
    context: int
    history: int


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent for a chat: digests of its head and of all of it, and how many of its messages were left out."""

    head: list[int]
    blocks: list[int]
    left_out: int


@dataclass(slots=True)
class Heard:
    """What was heard in one run."""

    asked: list[Asked] = field(default_factory=list)
    side: int = 0
    refused: int = 0
    extended: int = 0
    moved: int = 0
    broken: int = 0
    cached_answers: int = 0
    strange: list[str] = field(default_factory=list)


class Player:
    """Plays a workload.

    Args:
        clock: is moved on as long as the model's answers take.
        fault_every: each so many requests one is answered 429; 0: none.
    """

    def __init__(self, workload: Workload, clock: DrivenClock, fault_every: int = 0) -> None:
        self.heard = Heard()
        self._workload = workload
        self._clock = clock
        self._fault_every = fault_every
        self._requests = 0
        self._chat = self._turn = self._said = 0
        self._pending: list[Call] = []
        self._last: dict[tuple[int, str], _Sent] = {}

    def begin(self, chat: int, turn: int) -> None:
        """This turn is asked next."""
        self._chat, self._turn, self._said = chat, turn, 0
        self._pending = []

    def end(self, answer: str) -> None:
        """The turn is over, and the user read this."""
        replies = self._playing.replies
        if self._said == 0 and answer == replies[-1].text:
            self.heard.cached_answers += 1
        elif self._said != len(replies) or answer != replies[-1].text:
            where = f"chat {self._chat}, turn {self._turn}"
            self.heard.strange.append(
                f"{where}: {self._said} of {len(replies)} replies; told {answer[:80]!r}"
            )

    def pick(self, body: Mapping[str, Any]) -> Behaviour:
        """What the model does with a request."""
        self._requests += 1
        if self._fault_every and self._requests % self._fault_every == 0:
            self.heard.refused += 1
            return BUSY
        number = self._position(body)
        if number is None:
            self.heard.side += 1
            return Say(self._aside(body), pieces=1)
        before = sum(length_of(turn) for turn in self._played.turns[: self._turn])
        context = context_of(body)
        asked = Asked(self._chat, self._turn, body["model"], context, before + 1 + 2 * number)
        self.heard.asked.append(asked)
        self._compare(body, asked)
        return self._reply(number)

    def bring(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What a tool brings: the first call that waits with this name and these arguments."""
        fits = [call for call in self._pending if call.name == name]
        exact = [call for call in fits if json.loads(call.arguments) == arguments]
        if not fits:
            self.heard.strange.append(f"nobody asked for the tool {name}")
            return "nothing"
        call = (exact or fits)[0]
        self._pending.remove(call)
        return call.result

    @property
    def _played(self) -> Chat:
        return self._workload.chats[self._chat]

    @property
    def _playing(self) -> Turn:
        return self._played.turns[self._turn]

    def _reply(self, number: int) -> Say:
        reply = self._playing.replies[number]
        self._said = number + 1
        self._pending = list(reply.calls)
        self._clock.advance(answer_s(Turn("", (reply,))))
        return Say(reply.text, self._calls(number, reply), pieces=2)

    def _calls(self, number: int, reply: Reply) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(self._id(number, index), call.name, call.arguments)
            for index, call in enumerate(reply.calls)
        )

    def _id(self, number: int, index: int) -> str:
        return f"call_{self._chat}_{self._turn}_{number}_{index}"

    def _position(self, body: Mapping[str, Any]) -> int | None:
        """Which reply is asked for; None: this is no part of the chat."""
        system = self._workload.personas[self._played.persona].system
        if not system_of(body).startswith(system):
            return None
        text, answered = end_of(body)
        if not answered:
            return 0 if text == self._playing.seen else None
        for number, reply in enumerate(self._playing.replies):
            if answered == {self._id(number, index) for index, _ in enumerate(reply.calls)}:
                return number + 1
        self.heard.strange.append(f"chat {self._chat}, turn {self._turn}: results of {sorted(answered)}")
        return None

    def _aside(self, body: Mapping[str, Any]) -> str:
        """An answer to side work: a label, where one is asked for, else a summary."""
        asked = json.dumps(body, ensure_ascii=False)
        if "easy" in asked and "hard" in asked and len(asked) < len(SUMMARY) * 50:
            return "hard" if self._playing.needs == "strong" else "easy"
        return SUMMARY

    def _compare(self, body: Mapping[str, Any], asked: Asked) -> None:
        key = (asked.chat, asked.model)
        now = _Sent(*blocks_of(body), asked.history - asked.context)
        before = self._last.get(key)
        self._last[key] = now
        if before is None:
            return
        if now.blocks[: len(before.blocks)] == before.blocks:
            self.heard.extended += 1
        elif now.left_out > before.left_out and now.head == before.head:
            self.heard.moved += 1
        else:
            self.heard.broken += 1


def length_of(turn: Turn) -> int:
    """How many messages a turn is in a history; the results of calls made together are one."""
    return 1 + sum(2 if reply.calls else 1 for reply in turn.replies)


def context_of(body: Mapping[str, Any]) -> int:
    """How many messages a request has; the results of calls made together are one."""
    roles = [message["role"] for message in body["messages"] if message["role"] != "system"]
    return sum(role != "tool" or roles[at - 1] != "tool" for at, role in enumerate(roles))


def system_of(body: Mapping[str, Any]) -> str:
    """A request's system prompt, in either protocol."""
    if "system" in body:
        return str(body["system"][0]["text"])
    first = body["messages"][0]
    return str(first["content"]) if first["role"] == "system" else ""


def end_of(body: Mapping[str, Any]) -> tuple[str, set[str]]:
    """What the user wrote last, or the ids of the calls whose results came last."""
    messages = body["messages"]
    last = messages[-1]
    if last["role"] == "tool":
        ids: set[str] = set()
        for message in reversed(messages):
            if message["role"] != "tool":
                break
            ids.add(message["tool_call_id"])
        return "", ids
    content = last["content"]
    if isinstance(content, str):
        return content, set()
    results = {block["tool_use_id"] for block in content if block["type"] == "tool_result"}
    texts = [block["text"] for block in content if block["type"] == "text"]
    return (texts[-1] if texts else ""), results


def blocks_of(body: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """What is sent, block by block, marks for the cache aside: what stands before the messages, and all of it."""
    head = [*body.get("tools", ()), *body.get("system", ())]
    messages = list(body["messages"])
    if messages[0]["role"] == "system":
        head.append(messages.pop(0))
    blocks = [
        {**block, "role": message["role"]} if isinstance(block, dict) else message
        for message in messages
        for block in (message["content"] if isinstance(message["content"], list) else [None])
    ]
    return list(map(_digest, head)), [_digest(block) for block in (*head, *blocks)]


def _digest(block: Mapping[str, Any]) -> int:
    plain = {key: value for key, value in block.items() if key != "cache_control"}
    return hash(json.dumps(plain, ensure_ascii=False))
