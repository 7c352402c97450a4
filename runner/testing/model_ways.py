"""The three ways to ask the fake model server: how each is checked, counted, answered and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from runner.money.usage import Usage
from runner.testing import model_checks, model_wire
from runner.testing.model_audio import audio_events, heard_usage, read_form
from runner.testing.model_script import Say, usage_of
from runner.testing.model_wire import Event
from runner.testing.prompt_cache import Found, PromptCache


class Way(Protocol):
    """One protocol: what its request ids begin with, in which header of an answer they stand, and the rest."""

    prefix: str
    header: str
    content_type: str

    def read(self, raw: bytes, content_type: str) -> tuple[dict[str, Any], int]:
        """A request's fields, and its output limit (of a recording: its seconds).

        Raises ValueError, KeyError, TypeError or AttributeError on anything else.
        """

    def usage(self, said: Say, request_bytes: int, limit: int) -> Usage:
        """What an answer uses."""

    def found(self, cache: PromptCache, body: Mapping[str, Any], now_ms: int) -> Found | None:
        """What a request finds in a prompt cache; None: there is none for this way."""

    def events(self, said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
        """An answer in pieces."""

    def error(self, message: str, status: int) -> dict[str, Any]:
        """The body of a refusal."""

    def error_event(self, message: str) -> bytes:
        """An error in the middle of an answer."""


class ChatWay:
    """Chat Completions."""

    prefix = "chatcmpl"
    header = "x-request-id"
    content_type = "text/event-stream"

    def read(self, raw: bytes, content_type: str) -> tuple[dict[str, Any], int]:
        """JSON, checked."""
        body = json.loads(raw)
        return body, model_checks.chat_limit(body)

    def usage(self, said: Say, request_bytes: int, limit: int) -> Usage:
        """By its bytes."""
        return usage_of(said, request_bytes, limit)

    def found(self, cache: PromptCache, body: Mapping[str, Any], now_ms: int) -> Found | None:
        """Token by token."""
        return cache.chat(body, now_ms)

    def events(self, said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
        """Server-sent events."""
        return model_wire.chat_events(said, usage, limit, request_id, model)

    def error(self, message: str, status: int) -> dict[str, Any]:
        """As OpenAI-compatible servers tell it."""
        return model_wire.chat_error(message, status)

    def error_event(self, message: str) -> bytes:
        """The same as an event."""
        return model_wire.chat_error_event(message)


class MessagesWay:
    """Anthropic Messages."""

    prefix = "msg"
    header = "request-id"
    content_type = "text/event-stream"

    def read(self, raw: bytes, content_type: str) -> tuple[dict[str, Any], int]:
        """JSON, checked."""
        body = json.loads(raw)
        return body, model_checks.message_limit(body)

    def usage(self, said: Say, request_bytes: int, limit: int) -> Usage:
        """By its bytes."""
        return usage_of(said, request_bytes, limit)

    def found(self, cache: PromptCache, body: Mapping[str, Any], now_ms: int) -> Found | None:
        """Block by block, where a mark stands."""
        return cache.messages(body, now_ms)

    def events(self, said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
        """Server-sent events."""
        return model_wire.message_events(said, usage, limit, request_id, model)

    def error(self, message: str, status: int) -> dict[str, Any]:
        """As Anthropic tells it."""
        return model_wire.message_error(message, status)

    def error_event(self, message: str) -> bytes:
        """The same as an event."""
        return model_wire.message_error_event(message)


class AudioWay(ChatWay):
    """Speech written down: a form in, JSON out, errors as those of Chat Completions."""

    prefix = "heard"
    content_type = "application/json"

    def read(self, raw: bytes, content_type: str) -> tuple[dict[str, Any], int]:
        """A form with one file, checked."""
        return read_form(raw, content_type)

    def usage(self, said: Say, request_bytes: int, limit: int) -> Usage:
        """By the recording's seconds."""
        return heard_usage(said, limit)

    def found(self, cache: PromptCache, body: Mapping[str, Any], now_ms: int) -> Found | None:
        """Recordings are not cached."""
        return None

    def events(self, said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
        """The answer's JSON in pieces."""
        return audio_events(said, usage)
