"""Nodes that reach people and other bots, or wait for them and for the clock.

send_message   schedule_message   send_proactive   action (human_handoff)   auth_gate   wait_delay   delegate_to_bot
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from runner.workflows.expressions import Json, Template, Tree
from runner.workflows.nodes.exits import PLAIN, Exits
from runner.workflows.nodes.fields import Fields

HANDOFF_TEXT = "I have escalated this to a reviewer. You will hear back shortly."
"""What the user reads while a reviewer decides."""

LONGEST_WAIT_S = 31 * 86_400
APPROVED, REJECTED, VERIFIED, DENIED = "approved", "rejected", "verified", "denied"


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A text to the user, now."""

    exits: ClassVar[Exits] = PLAIN
    text: Template

    @classmethod
    def read(cls, fields: Fields) -> SendMessage:
        """Read `data`."""
        return cls(fields.template("text"))


@dataclass(frozen=True, slots=True)
class LaterMessage:
    """A text for later, or for somebody else: schedule_message and send_proactive.

    Attributes:
        at: when, ISO 8601; or None.
        delay_s: seconds from now; or None. With neither: now.
        channel: where to; None: to the user.
    """

    exits: ClassVar[Exits] = PLAIN
    at: Template | None
    delay_s: float | None
    channel: Template | None
    text: Template

    @classmethod
    def read(cls, fields: Fields) -> LaterMessage:
        """Read `data` of schedule_message, which needs a time."""
        fields.exactly_one("at", "delay")
        return cls._fields(fields, fields.optional_template("channel"))

    @classmethod
    def read_proactive(cls, fields: Fields) -> LaterMessage:
        """Read `data` of send_proactive, which needs a channel."""
        if fields.has("at"):
            fields.exactly_one("at", "delay")
        return cls._fields(fields, fields.template("channel"))

    @classmethod
    def _fields(cls, fields: Fields, channel: Template | None) -> LaterMessage:
        delay = fields.optional_number("delay", 0, LONGEST_WAIT_S)
        return cls(fields.optional_template("at"), delay, channel, fields.template("text"))


@dataclass(frozen=True, slots=True)
class HumanHandoff:
    """Waits until a reviewer decides. Its output is `{decision, comment, reviewer}`."""

    exits: ClassVar[Exits] = Exits(plain=False, needed=(APPROVED, REJECTED))
    reason: Template

    @classmethod
    def read(cls, fields: Fields) -> HumanHandoff:
        """Read `data` of an action node."""
        fields.choice("actionType", ["human_handoff"])
        return cls(fields.template("reason"))


@dataclass(frozen=True, slots=True)
class AuthGate:
    """Goes on for a user who is known: by a list, a code that was sent to them, or a signed link.

    Sets `verified_identity`. Who is not known leaves at `denied`, or nowhere.

    Attributes:
        allow: users, where the mode is allow_list.
        text: what the user is asked; None: the usual words.
        code: the code that a tool has sent, where the mode is code; None: the one that the operator issued.
    """

    exits: ClassVar[Exits] = Exits(same=VERIFIED, allowed=(VERIFIED, DENIED))
    mode: str
    allow: tuple[str, ...]
    text: Template | None
    code: Template | None

    @classmethod
    def read(cls, fields: Fields) -> AuthGate:
        """Read `data`."""
        mode = fields.choice("mode", ["allow_list", "code", "link"])
        if fields.has("code") and mode != "code":
            fields.fault("code", "goes with mode code only")
        return cls(
            mode,
            fields.names("allow", required=mode == "allow_list"),
            fields.optional_template("text"),
            fields.optional_template("code"),
        )


@dataclass(frozen=True, slots=True)
class WaitDelay:
    """Waits.

    Attributes:
        seconds: from when the node is reached; or None.
        until: ISO 8601; or None.
    """

    exits: ClassVar[Exits] = PLAIN
    seconds: float | None
    until: Template | None

    @classmethod
    def read(cls, fields: Fields) -> WaitDelay:
        """Read `data`."""
        fields.exactly_one("seconds", "until")
        return cls(
            fields.optional_number("seconds", 0, LONGEST_WAIT_S),
            fields.optional_template("until"),
        )


@dataclass(frozen=True, slots=True)
class DelegateToBot:
    """Another bot answers; its text is the output.

    Attributes:
        target: the other bot's name.
        context: becomes variables there.
    """

    exits: ClassVar[Exits] = PLAIN
    target: str
    context: Mapping[str, Tree]
    output_variable: str | None

    @classmethod
    def read(cls, fields: Fields) -> DelegateToBot:
        """Read `data`; the context may be a mapping or the text of one, as JSON."""
        written = fields.data.get("context")
        inner = fields
        if isinstance(written, str):
            inner = Fields(fields.path, {"context": _json(fields, written)}, fields.faults)
            fields.has("context")
        return cls(
            fields.text("target_bot_id", longest=200),
            inner.tree_mapping("context"),
            fields.optional_name("outputVariable"),
        )


def _json(fields: Fields, text: str) -> Json:
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError):
        fields.fault("context", "must be a mapping, or the JSON text of one")
        return {}
    return found
