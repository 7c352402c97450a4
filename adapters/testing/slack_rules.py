"""What the fake Slack takes and what it refuses, as the real one does. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LONGEST_MARKDOWN = 12_000
LONGEST_TEXT = 40_000
_TS = re.compile(r"\d{10}\.\d{6}")
_NAME = re.compile(r"[a-zA-Z0-9_]{1,255}")
_POST_FIELDS = frozenset(
    {"blocks", "channel", "metadata", "text", "thread_ts", "unfurl_links", "unfurl_media"}
)
_STREAM_FIELDS = frozenset(
    {"channel", "markdown_text", "recipient_team_id", "recipient_user_id", "thread_ts"}
)


class ApiError(Exception):
    """A refusal in Slack's own form."""

    def __init__(self, code: str, status: int = 200, retry_after_s: int | None = None, **more: str) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s
        self.more = more


def is_ts(value: object) -> bool:
    """Whether it names a message."""
    return isinstance(value, str) and _TS.fullmatch(value) is not None


def check_post(fields: Mapping[str, Any]) -> None:
    """Whether Slack would take these arguments of chat.postMessage or chat.update. Raises ApiError."""
    if unknown := set(fields) - _POST_FIELDS:
        raise ApiError("invalid_arguments", unknown=", ".join(sorted(unknown)))
    text, blocks = fields.get("text"), fields.get("blocks")
    if not blocks and not str(text or "").strip():
        raise ApiError("no_text")
    if len(str(text or "")) > LONGEST_TEXT:
        raise ApiError("msg_too_long")
    for block in blocks or ():
        if set(block) != {"type", "text"} or block["type"] != "markdown" or not block["text"].strip():
            raise ApiError("invalid_blocks")
    if sum(len(block["text"]) for block in blocks or ()) > LONGEST_MARKDOWN:
        raise ApiError("msg_blocks_too_long")
    check_metadata(fields)


def check_stream(fields: Mapping[str, Any]) -> str:
    """Whether Slack would begin this stream; its first piece. Raises ApiError."""
    if unknown := set(fields) - _STREAM_FIELDS:
        raise ApiError("invalid_arguments", unknown=", ".join(sorted(unknown)))
    if not is_ts(fields.get("thread_ts")):
        raise ApiError("invalid_thread_ts")
    for name in ("recipient_team_id", "recipient_user_id"):
        if not fields.get(name):
            raise ApiError(f"missing_{name}")
    return check_piece(fields, needed=False)


def check_piece(fields: Mapping[str, Any], *, needed: bool) -> str:
    """A piece of a stream, as it arrives there. Raises ApiError."""
    piece = str(fields.get("markdown_text") or "")
    if len(piece) > LONGEST_MARKDOWN:
        raise ApiError("msg_too_long")
    if needed and not piece.strip():
        raise ApiError("no_text")
    return piece.strip()


def check_metadata(fields: Mapping[str, Any]) -> None:
    """Whether this is metadata, where there is any. Raises ApiError."""
    metadata = fields.get("metadata")
    if metadata is not None and (
        set(metadata) != {"event_type", "event_payload"}
        or not _NAME.fullmatch(metadata["event_type"])
        or not isinstance(metadata["event_payload"], dict)
    ):
        raise ApiError("invalid_metadata_format")
