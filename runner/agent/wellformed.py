"""Texts that can be stored and sent: what a model says is not always Unicode. Pure.

Rule: an emoji that a stream cut in two is put together again; half of one, and NUL, which some databases
refuse, become the replacement character.
"""

from __future__ import annotations

from dataclasses import replace

from runner.conversations.models import ToolCall
from runner.ports.dialogue import ModelReply

_REPLACEMENT = "\ufffd"


def well_formed(text: str) -> str:
    """The text itself wherever it is in order."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", _REPLACEMENT) if "\0" in text else text


def well_formed_reply(reply: ModelReply) -> ModelReply:
    """A reply all of whose texts are in order."""
    return replace(
        reply,
        text=well_formed(reply.text),
        finish_detail=well_formed(reply.finish_detail),
        tool_calls=tuple(
            ToolCall(well_formed(call.id), well_formed(call.name), well_formed(call.arguments))
            for call in reply.tool_calls
        ),
    )
