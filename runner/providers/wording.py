"""What both protocols need to say and read in the same way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.conversations.models import AssistantMessage, UserMessage
from runner.money.usage import BadUsage
from runner.ports.dialogue import ModelRequest

NOTHING_SAID = "(no text)"
"""Stands for a text that is empty: providers refuse those."""


def spoken(message: UserMessage | AssistantMessage) -> str:
    """A message's text for the model: a user's name stands before it, on the same line."""
    text = message.text if message.text.strip() else NOTHING_SAID
    if isinstance(message, UserMessage) and message.name is not None:
        return f"{' '.join(message.name.split())}: {text}"
    return text


def without_pictures(body: str, request: ModelRequest) -> tuple[str, int]:
    """The body without its pictures' bytes, and how many there are: they are bounded each by its row's figure."""
    pictures = [
        picture
        for message in request.messages
        if isinstance(message, UserMessage)
        for picture in message.pictures
    ]
    for picture in pictures:
        body = body.replace(picture.data, "", 1)
    return body, len(pictures)


def with_limit(body: str, field: str, limit: int) -> bytes:
    """The whole body as bytes, with the output limit."""
    return f'{body[:-1]},"{field}":{limit}}}'.encode("utf-8", "replace")


def count(raw: Mapping[str, Any], field: str, missing: int | None = None) -> int:
    """A count of tokens; `missing` where it is absent or null.

    Raises:
        BadUsage: not a whole number, or absent with no `missing`.
    """
    value = raw.get(field)
    if value is None and missing is not None:
        return missing
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadUsage(f"{field} is no count")
    return value
