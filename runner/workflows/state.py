"""Where a run of a workflow is, all of it: what is stored after each node. Pure.

    RunState ── tasks     nodes that are to be done next, each with the number of its step
            ├── frames    the run itself, and the bodies and branches that it is in
            ├── path      what was done
            └── variables

Rules: a state is JSON and nothing else; the same state, stored and read again, is equal. Step numbers only grow
and are never used twice in a run: with the run's id they name one doing of one node, for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from runner.workflows.expressions import Json

VERSION = 1

Status = Literal["running", "finished", "failed"]
WaitKind = Literal["time", "decision", "reply"]
"""For the clock, for a reviewer, for the user's next message."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a node waits for. `until_ms`: Unix milliseconds; None: for ever, unless it is the clock."""

    kind: WaitKind
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One doing of one node.

    Attributes:
        step: its number in the run.
        frame: the frame it is in.
        thread: tasks of one thread are done one after another, of two side by side.
        inputs: what it is done with, fixed when its turn comes; None before that.
        wait: set once it was begun and has to wait.
    """

    step: int
    node: str
    frame: int
    thread: str
    inputs: Mapping[str, Json] | None = None
    wait: Wait | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """The run itself, one round of a loop's body, or the branches of a parallel.

    Attributes:
        parent: the frame around it; None for the run itself.
        opener: the loop or the parallel; "" for the run itself.
        thread: that of the opener.
        seen: nodes that are or were to be done in it, each once.
        items: of a loop.
        index: of the item of this round.
    """

    id: int
    parent: int | None = None
    opener: str = ""
    thread: str = ""
    seen: tuple[str, ...] = ()
    items: tuple[Json, ...] = ()
    index: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """A node that was done: where it was left, and why it failed if it did."""

    step: int
    node: str
    frame: int
    handle: str = ""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """A run of a workflow.

    Attributes:
        hops: how often the message was handed on between bots before.
        failure: why the run failed, a sentence; None where it did not.
        frames: parents before what is in them.
    """

    variables: Mapping[str, Json]
    hops: int = 0
    status: Status = "running"
    failure: str | None = None
    next_step: int = 1
    next_frame: int = 1
    tasks: tuple[Task, ...] = ()
    frames: tuple[Frame, ...] = (Frame(0),)
    path: tuple[Visit, ...] = ()

    def task(self, step: int) -> Task | None:
        """The task of this step, if it is still to be done."""
        return next((task for task in self.tasks if task.step == step), None)

    def frame(self, number: int) -> Frame:
        """A frame that is open."""
        return next(frame for frame in self.frames if frame.id == number)


def to_json(state: RunState) -> str:
    """The state as JSON text."""
    path = [(visit.step, visit.node, visit.frame, visit.handle, visit.failure) for visit in state.path]
    data = {"version": VERSION, **_plain(state), "path": path}
    return json.dumps(data, default=_plain, separators=(",", ":"))


def from_json(text: str) -> RunState:
    """Read what `to_json` wrote. Raises ValueError for anything else."""
    try:
        data: dict[str, Any] = json.loads(text)
        version = data.pop("version")
        if version != VERSION:
            raise ValueError(f"a run was stored in form {version}, this release reads {VERSION}")
        return RunState(
            **{
                **data,
                "tasks": tuple(_task(task) for task in data["tasks"]),
                "frames": tuple(_frame(frame) for frame in data["frames"]),
                "path": tuple(Visit(*visit) for visit in data["path"]),
            }
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the state of a run: {error}") from None


def _plain(part: RunState | Task | Frame | Wait) -> dict[str, Any]:
    """One of the classes above as a mapping; what is in it, JSON itself asks for."""
    return {each.name: getattr(part, each.name) for each in fields(part)}


def _task(data: dict[str, Any]) -> Task:
    wait = data["wait"]
    return Task(**{**data, "wait": Wait(**wait) if wait is not None else None})


def _frame(data: dict[str, Any]) -> Frame:
    return Frame(**{**data, "seen": tuple(data["seen"]), "items": tuple(data["items"])})
