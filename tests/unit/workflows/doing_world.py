"""A node by itself, to be done: its workflow is a trigger and it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from adapters.messages import InboundMessage
from runner.agent.asks import Failed, Refused
from runner.agent.replies import PaidReply
from runner.bots import Bot
from runner.conversations.models import Message, ToolCall, UserMessage
from runner.money.ledger import Attempt
from runner.ports.dialogue import ModelRequest
from runner.ports.stores import LaneSession
from runner.ports.tools import ToolRun
from runner.testing.scenes import FunctionToolbox, a_bot, a_message
from runner.testing.workflows import node, readable, trigger, workflow
from runner.workflows.doing import Doing
from runner.workflows.engine import Run, begin, steps
from runner.workflows.expressions import Json

RUN = "rt1"


@dataclass
class Answers:
    """A Recall that gives what it was told to give, and remembers what it was asked."""

    replies: list[PaidReply | Refused | Failed] = field(default_factory=list)
    asked: list[tuple[ModelRequest, str]] = field(default_factory=list)

    async def ask(self, request: ModelRequest, *, feature: str) -> PaidReply | Refused | Failed:
        self.asked.append((request, feature))
        return self.replies.pop(0)

    async def tool(self, call: ToolCall) -> ToolRun:
        raise AssertionError(f"none of these nodes calls tools: {call}")


def doing(
    kind: str,
    data: dict[str, Json],
    *,
    variables: dict[str, Json] | None = None,
    user: str = "ada",
    turn: str = "t1",
    message: InboundMessage | None = None,
    history: Sequence[Message] | None = None,
    reply: str | None = None,
    recall: Answers | None = None,
    bot: Bot | None = None,
    run: str = RUN,
) -> Doing:
    """One doing of that node."""
    message = message or a_message(user=user)
    graph = readable(workflow({"start": trigger(), "it": node(kind, **data)}, "start > it"))
    state = begin(graph, {"message": message.text, "channel_id": message.chat.id, **(variables or {})})
    step = next(one for one in steps(graph, state) if isinstance(one, Run))
    assert json.dumps(step.inputs)
    bot = bot or a_bot()
    return Doing(
        bot=bot,
        run=run,
        turn=turn,
        step=step,
        about=Attempt(**{**_ABOUT, "turn": turn}),
        scopes=lambda _: (),
        deadline=0.0,
        session=cast("LaneSession", None),
        user=user,
        channel="chat",
        platform="fake",
        toolbox=FunctionToolbox(),
        history=tuple(history if history is not None else [UserMessage(message.text)]),
        recall=recall or Answers(),
        lane=f"bot|chat|{message.chat.place}|{user}",
        message=message,
        reply=reply,
        key=str(step.step),
    )


_ABOUT: dict[str, Any] = {
    "id": "",
    "time_ms": 0,
    "bot": "bot",
    "platform": "fake",
    "channel": "chat",
    "conversation": "c1",
    "user": "ada",
    "turn": "t1",
    "provider": "anthropic",
    "model": "m",
    "price_version": "",
}
