"""Bots with workflows, and what is said while they answer one message."""

import json
from collections.abc import Mapping
from typing import Any

from runner.bots import Bot, Workflow
from runner.ports.observer import TurnFinished
from runner.testing.pipeline import Pipeline
from runner.testing.scenes import a_bot
from runner.testing.workflows import trigger, workflow
from runner.workflows.expressions import Json


def written(nodes: Mapping[str, Mapping[str, Json]], *edges: str) -> str:
    return json.dumps(workflow({"t": trigger(), **nodes}, *edges))


def flowing(nodes: Mapping[str, Mapping[str, Json]], *edges: str, **changes: Any) -> Bot:
    return a_bot(workflow=Workflow(written(nodes, *edges)), **changes)


async def answers(walk: Pipeline, text: str = "hello") -> list[str]:
    """All that is said until the turn of this message has ended."""
    before = len(walk.observer.of(TurnFinished))
    await walk.adapter.say(text)
    while len(walk.observer.of(TurnFinished)) == before:
        await walk.observer.until(TurnFinished, before + 1)
    await sent(walk)
    return texts(walk)


async def sent(walk: Pipeline) -> None:
    """Wait until all that was said is on the platform."""
    if walk.adapter.capabilities.collects:
        await walk.adapter.replies(1)
    while (await walk.store.figures()).outbox:
        await walk.clock.sleep(0)


def texts(walk: Pipeline) -> list[str]:
    return [message.text for message in walk.adapter.sent]


async def the_run(walk: Pipeline) -> dict[str, Any]:
    """The latest run: its status, failure and the lines of its trace by node."""
    run = (await walk.store.runs.runs(walk.bot.id, 1))[0]
    lines = {line["node"]: line for line in json.loads(run.trace)}
    return {"id": run.id, "status": run.status, "failure": json.loads(run.state)["failure"], "trace": lines}
