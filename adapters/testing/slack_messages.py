"""Messages of the fake Slack: how the history shows them, and what may become of them later. Pure.

Rules, as on the real one: a stream takes pieces until it is stopped, by us or by Slack, and drops white space at
their ends; while it is open it can neither be edited nor deleted, and afterwards no piece can be added; only one's
own messages can be changed; an edit's text has up to 4,000 characters, where its block has up to 12,000; metadata
stays unless an edit brings another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.testing.slack_rules import ApiError, check_metadata, check_piece, check_post

LONGEST_EDIT = 4000
_FIELDS = {
    "chat.appendStream": {"channel", "ts", "markdown_text"},
    "chat.stopStream": {"channel", "ts", "markdown_text", "metadata"},
    "chat.update": {"channel", "ts", "text", "blocks", "metadata"},
    "chat.delete": {"channel", "ts"},
}
CHANGES = frozenset(_FIELDS)


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a channel. `at_s` is the loop's time.

    Attributes:
        streaming: whether it is a stream that is still open.
        changes: how often it was appended to, stopped or edited.
    """

    ts: str
    at_s: float
    channel: str
    text: str
    thread: str | None = None
    user: str = ""
    metadata: Mapping[str, Any] | None = None
    blocks: tuple[Mapping[str, Any], ...] = ()
    streaming: bool = False
    changes: int = 0


def shown(message: Message, *, metadata: bool = True) -> dict[str, Any]:
    """A message as the history shows it."""
    raw: dict[str, Any] = {
        "type": "message",
        "ts": message.ts,
        "user": message.user,
        "text": message.text,
    }
    if message.blocks or message.metadata:
        raw["bot_id"] = "B0BOT"
    if message.thread is not None:
        raw["thread_ts"] = message.thread
    if message.streaming:
        raw["streaming_state"] = "in_progress"
    if metadata and message.metadata is not None:
        raw["metadata"] = message.metadata
    return raw


def page(said: list[Message], method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What conversations.history and conversations.replies answer. Raises ApiError."""
    channel, thread = str(fields.get("channel", "")), fields.get("ts")
    found = [one for one in said if one.channel == channel]
    if method == "conversations.replies":
        found = [one for one in found if thread in {one.ts, one.thread}]
        if not found:
            raise ApiError("thread_not_found")
    else:
        found = [one for one in reversed(found) if one.thread is None]
    oldest, limit = float(fields.get("oldest") or 0), int(fields.get("limit") or 100)
    found = [one for one in found if float(one.ts) > oldest or one.ts == thread]
    start = int(fields.get("cursor") or 0)
    part = [shown(one, metadata=bool(fields.get("include_all_metadata"))) for one in found[start:][:limit]]
    more = start + limit < len(found)
    cursor = {"next_cursor": str(start + limit) if more else ""}
    return {"messages": part, "has_more": more, "response_metadata": cursor}


def change(said: list[Message], user: str, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Append to a message, stop, edit or delete it. Raises ApiError.

    Args:
        user: whose call it is.
    """
    if unknown := set(fields) - _FIELDS[method]:
        raise ApiError("invalid_arguments", unknown=", ".join(sorted(unknown)))
    name = (fields.get("channel"), fields.get("ts"))
    at = next((at for at, one in enumerate(said) if (one.channel, one.ts) == name), None)
    if at is None:
        raise ApiError("message_not_found")
    if said[at].user != user:
        raise ApiError("cant_delete_message" if method == "chat.delete" else "cant_update_message")
    if method == "chat.delete":
        if said[at].streaming:
            raise ApiError("cant_delete_message")
        del said[at]
    else:
        changed = (
            _edited(said[at], fields) if method == "chat.update" else _streamed(said[at], method, fields)
        )
        said[at] = replace(changed, changes=said[at].changes + 1)
    return {"channel": name[0], "ts": name[1]}


def _streamed(message: Message, method: str, fields: Mapping[str, Any]) -> Message:
    if not message.streaming:
        raise ApiError("message_not_in_streaming_state")
    stopping = method == "chat.stopStream"
    piece = check_piece(fields, needed=not stopping)
    check_metadata(fields)
    metadata = fields.get("metadata", message.metadata)
    return replace(message, text=message.text + piece, streaming=not stopping, metadata=metadata)


def _edited(message: Message, fields: Mapping[str, Any]) -> Message:
    if message.streaming:
        raise ApiError("streaming_state_conflict")
    if len(str(fields.get("text") or "")) > LONGEST_EDIT:
        raise ApiError("msg_too_long")
    check_post({name: value for name, value in fields.items() if name != "ts"})
    blocks = tuple(fields.get("blocks") or ())
    text = blocks[0]["text"] if blocks else str(fields["text"])
    return replace(message, text=text, blocks=blocks, metadata=fields.get("metadata", message.metadata))
