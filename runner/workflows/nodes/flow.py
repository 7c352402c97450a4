"""Nodes that only say how a run goes on: the engine does these itself, they cost nothing.

trigger   logic (if_else, switch)   loop   parallel   error_handler
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.workflows.conditions import Condition
from runner.workflows.expressions import Template, Tree
from runner.workflows.nodes.exits import Exits
from runner.workflows.nodes.fields import Fields

MAX_ITERATIONS = 100
BODY, DONE, DEFAULT = "body", "done", "default"
_TRIGGERS = ("message_received",)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Where runs begin."""

    exits: ClassVar[Exits] = Exits(can_fail=False)
    trigger_type: str

    @classmethod
    def read(cls, fields: Fields) -> Trigger:
        """Read `data`."""
        return cls(fields.choice("triggerType", _TRIGGERS, default=_TRIGGERS[0]))


@dataclass(frozen=True, slots=True)
class IfElse:
    """Goes on at `true` or `false`."""

    exits: ClassVar[Exits] = Exits(plain=False, needed=("true", "false"))
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class Switch:
    """Goes on at the case that the value is, else at `default`, else nowhere."""

    value: Template
    cases: tuple[str, ...]

    @property
    def exits(self) -> Exits:
        """The cases."""
        return Exits(plain=False, needed=self.cases, allowed=() if DEFAULT in self.cases else (DEFAULT,))


def read_logic(fields: Fields) -> IfElse | Switch:
    """Read `data` of a logic node."""
    kinds = ["if_else", "switch"]
    if "cases" in fields.data and fields.data.get("logicType") not in kinds:
        kinds.reverse()  # after a fault the first is taken: what was most likely meant
    if fields.choice("logicType", kinds) == "if_else":
        return IfElse(fields.condition("condition"))
    return Switch(fields.template("value"), fields.names("cases"))


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs what follows its handle `body` once for each item, then what follows `done`.

    Attributes:
        items: becomes a list when the node is reached.
        item_variable: holds the item in the body.
        max_iterations: items after these are left out.
    """

    exits: ClassVar[Exits] = Exits(same=DONE, needed=(BODY,), allowed=(DONE,))
    items: Tree
    item_variable: str
    max_iterations: int

    @classmethod
    def read(cls, fields: Fields) -> Loop:
        """Read `data`."""
        if not fields.has("items"):
            fields.fault("items", "required")
        return cls(
            fields.tree("items"),
            fields.name("itemVariable"),
            fields.whole("maxIterations", 1, MAX_ITERATIONS, default=MAX_ITERATIONS),
        )


@dataclass(frozen=True, slots=True)
class Parallel:
    """Runs its branches side by side; when all have ended, the node `join` is next.

    Attributes:
        branches: the handles, one for each branch; none: each edge is a branch.
    """

    branches: tuple[str, ...]
    join: str

    @classmethod
    def read(cls, fields: Fields) -> Parallel:
        """Read `data`."""
        return cls(fields.names("branches", required=False), fields.text("join"))

    @property
    def exits(self) -> Exits:
        """The branches; it cannot fail."""
        return Exits(plain=not self.branches, needed=self.branches, can_fail=False)


@dataclass(frozen=True, slots=True)
class ErrorHandler:
    """Where a failing node goes; the variable `error` then holds `{node, message}`."""

    exits: ClassVar[Exits] = Exits(can_fail=False)

    @classmethod
    def read(cls, _: Fields) -> ErrorHandler:
        """Read `data`: there is none."""
        return cls()
