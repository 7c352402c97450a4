"""What the fake Telegram refuses, in Telegram's own words. Pure.

Rules, as on the real one: a text has 1 to 4096 UTF-16 units; entities lie inside of it, overlap only where one
holds the other, and code holds nothing and is held by a quote at most; an edit has to change something; a draft
has a number that is not zero and is for direct chats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

LONGEST_TEXT = 4096
_KINDS = frozenset(
    {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "blockquote"}
)
_CODE = frozenset({"code", "pre"})
_NOT_IN_CODE = frozenset({"blockquote"})
SAME = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)

_WHERE = {"chat_id": "chat", "message_thread_id": "int"}
_WHAT = {"text": "str", "entities": "json", "link_preview_options": "json"}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "getMe": {},
    "getUpdates": {"offset": "int", "limit": "int", "timeout": "int", "allowed_updates": "json"},
    "sendMessage": {**_WHERE, **_WHAT, "reply_parameters": "json"},
    "sendMessageDraft": {
        "chat_id": "int",
        "message_thread_id": "int",
        "draft_id": "int",
        "text": "str",
        "entities": "json",
    },
    "editMessageText": {"chat_id": "chat", "message_id": "int", **_WHAT},
    "sendChatAction": {**_WHERE, "action": "str"},
    "setMyCommands": {"commands": "json"},
    "getFile": {"file_id": "str"},
    "setWebhook": {"url": "str", "secret_token": "str", "allowed_updates": "json", "max_connections": "int"},
    "deleteWebhook": {"drop_pending_updates": "bool"},
    "getWebhookInfo": {},
}
"""The parameters of the methods that we know, as the Bot API's documentation has them, without what we never use."""
_VALUES = {"int": r"-?\d{1,19}", "chat": r"-?\d{1,19}|@\w+|", "bool": r"(?i:true|false)", "str": r"(?s:.*)"}


class ApiError(Exception):
    """A refusal in Telegram's own form."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters or {}


def too_many(retry_after_s: int) -> ApiError:
    """429 as Telegram says it."""
    text = f"Too Many Requests: retry after {retry_after_s}"
    return ApiError(429, text, {"retry_after": retry_after_s})


def check_parameters(method: str, fields: Mapping[str, Any]) -> None:
    """Raises ApiError where a call is not as documented; the real one leaves out what it does not know."""
    known = PARAMETERS[method]
    for name, value in fields.items():
        if value is None:
            continue
        kind = known.get(name)
        if kind is None:
            raise ApiError(400, f"Bad Request: {method} has no parameter {name}")
        good = isinstance(value, list | dict) if kind == "json" else re.fullmatch(_VALUES[kind], str(value))
        if not good:
            raise ApiError(400, f"Bad Request: {name} of {method} is no {kind}")


def check_text(text: str, entities: Sequence[Mapping[str, Any]]) -> None:
    """Raises ApiError where the text or its entities are none."""
    if not text.strip():
        raise ApiError(400, "Bad Request: message text is empty")
    units = _units(text)
    if units > LONGEST_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    wrong = next((entity for entity in entities if not _is_in(entity, units)), None)
    if wrong is not None:
        raise ApiError(400, f"Bad Request: can't parse entities: {wrong} does not lie in the text")
    for one, other in combinations(entities, 2):
        if not _get_on(one, other):
            raise ApiError(400, f"Bad Request: can't parse entities: {one} and {other} overlap")


def check_draft(chat: str, draft_id: str) -> None:
    """Raises ApiError where such a draft cannot be shown."""
    if not draft_id.lstrip("-").isdigit() or int(draft_id) == 0:
        raise ApiError(400, "Bad Request: RANDOM_ID_INVALID")
    if chat.startswith("-"):
        raise ApiError(400, "Bad Request: TEXTDRAFT_PEER_INVALID")


def check_webhook(url: str, secret: str) -> None:
    """Raises ApiError where a webhook cannot be set so."""
    if url and not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
        raise ApiError(400, "Bad Request: secret token contains unallowed characters")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _span(entity: Mapping[str, Any]) -> tuple[int, int]:
    return entity["offset"], entity["offset"] + entity["length"]


def _is_in(entity: Mapping[str, Any], units: int) -> bool:
    start, end = _span(entity)
    linked = entity["type"] != "text_link" or str(entity.get("url", "")).startswith(("http://", "https://"))
    return entity["type"] in _KINDS and 0 <= start < end <= units and linked


def _get_on(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entities are apart, or one may hold the other."""
    (start, end), (begin, over) = _span(one), _span(other)
    if end <= begin or over <= start:
        return True
    kinds = {one["type"], other["type"]}
    if len(kinds) == 1 or (kinds & _CODE and not kinds & _NOT_IN_CODE):
        return False
    return (start <= begin and over <= end) or (begin <= start and end <= over)
