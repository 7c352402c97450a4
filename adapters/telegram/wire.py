"""Telegram's JSON to our messages and back. Pure, and no object of the library on the way: it is the hot path.

    update ─▶ update_id(raw) ─▶ the offset
           └▶ parse(raw, me) ─▶ InboundMessage | None (nothing that we answer) | raises UnreadableUpdate

Rules: in a group the bot is meant by a mention, a reply to it, or a command without another bot's name. A topic
counts as thread only where Telegram says `is_topic_message`: plain replies in a supergroup carry a thread id
too, and sending to that one fails. Attachments are referenced, never loaded. Who writes as a group or channel
(an anonymous admin) is that group or channel, not the helper bot that Telegram puts in `from`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.contract import Capabilities
from adapters.errors import UnreadableUpdate
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
)
from adapters.telegram.entities import rendered

CAPABILITIES = Capabilities(
    max_text=4096,
    text_units="utf16",
    chat_interval_s=1.0,
    bot_interval_s=1 / 30,
    shows_working=True,
    working_every_s=4.0,
    drafts=True,
    draft_every_s=1.5,
    draft_every_group_s=3.5,
    fetches=True,
    exclusive=True,
)
POSTED = replace(CAPABILITIES, exclusive=False)
"""The same where Telegram posts to us."""
ALLOWED_UPDATES = '["message"]'
COMMANDS = (
    {"command": "start", "description": "Say hello"},
    {"command": "help", "description": "What I can do"},
    {"command": "reset", "description": "Forget our conversation"},
    {"command": "new", "description": "Start a new conversation"},
)
"""The menu that clients show."""

_COMMAND = re.compile(r"/(\w{1,64})(?:@(\w+))?(?=\s|$)")
_FILES: Mapping[str, AttachmentKind] = {
    "document": AttachmentKind.DOCUMENT,
    "voice": AttachmentKind.AUDIO,
    "audio": AttachmentKind.AUDIO,
    "video": AttachmentKind.OTHER,
    "video_note": AttachmentKind.OTHER,
    "animation": AttachmentKind.OTHER,
    "sticker": AttachmentKind.OTHER,
}
_LATER_PART = re.compile(r"\.(?!1$)\d+$")
_NO_FILES = ("location", "venue", "contact", "poll", "dice")

NO_PREVIEW: Mapping[str, object] = {"link_preview_options": '{"is_disabled": true}'}
"""For a preview, Telegram would fetch whatever address a model was talked into writing."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is. `mention` finds its @name in a text."""

    id: int
    username: str
    mention: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        found = rf"(?<![\w@/.])@{re.escape(self.username)}(?!\w)" if self.username else r"(?!)"
        object.__setattr__(self, "mention", re.compile(found, re.IGNORECASE))


def update_id(raw: Any) -> int | None:  # noqa: ANN401 - whatever the platform sent
    """The number of an update, or None where it has none."""
    number = raw.get("update_id") if isinstance(raw, dict) else None
    return number if isinstance(number, int) else None


def parse(raw: Mapping[str, Any], me: Me) -> InboundMessage | None:
    """Read one update. None: nothing that we answer. Raises UnreadableUpdate."""
    try:
        message = raw.get("message")
        if message is None:
            return None
        return _message(raw["update_id"], message, me)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        number = update_id(raw)
        raise UnreadableUpdate(
            f"update {number} cannot be read: {type(error).__name__} {str(error)[:80]}"
        ) from None


def _message(number: int, message: Mapping[str, Any], me: Me) -> InboundMessage | None:
    chat, sender = _chat(message), _sender(message, me)
    if sender is None:
        return None
    written = _storable(message.get("text") or message.get("caption") or "")
    attachments = _attachments(message)
    if not written and not attachments:
        return None  # somebody joined, a title changed, a group migrated
    command, text = _command(written, me)
    replied = message.get("reply_to_message")
    addressed = chat.kind is ChatKind.DIRECT or command is not None
    if "@" in text:
        text, mentions = me.mention.subn("", text)
        text, addressed = text.strip() if mentions else text, addressed or mentions > 0
    if not addressed:
        addressed = _replies_to(replied, me) or _names(message, me)
    return InboundMessage(
        event_id=str(number),
        account=str(me.id),
        chat=chat,
        sender=sender,
        text=text,
        command=command,
        addressed=addressed,
        attachments=attachments,
        sent_at_ms=_whole(message["date"]) * 1000 if "date" in message else None,
        reply_to=None if replied is None else str(replied["message_id"]),
        details={"message_id": message["message_id"]},
    )


def _chat(message: Mapping[str, Any]) -> ChatRef:
    chat = message["chat"]
    thread = message["message_thread_id"] if message.get("is_topic_message") else None
    return ChatRef(
        id=str(_whole(chat["id"])),
        kind=ChatKind.DIRECT if chat["type"] == "private" else ChatKind.GROUP,
        thread=None if thread is None else str(_whole(thread)),
    )


def _sender(message: Mapping[str, Any], me: Me) -> Sender | None:
    """Who wrote; None for ourselves and for what a channel forwards into its group by itself."""
    if message.get("is_automatic_forward"):
        return None
    as_chat = message.get("sender_chat")
    if as_chat is not None:
        return Sender(str(_whole(as_chat["id"])), _storable(as_chat.get("title") or ""))
    user = message["from"]
    if user["id"] == me.id:
        return None
    name = " ".join(part for part in (user.get("first_name"), user.get("last_name")) if part)
    return Sender(str(_whole(user["id"])), _storable(name), bool(user.get("is_bot", False)))


def _command(text: str, me: Me) -> tuple[str | None, str]:
    """The command for us, if it is one, and the text without our name behind it."""
    found = _COMMAND.match(text) if text.startswith("/") else None
    if found is None or (found[2] and found[2].lower() != me.username.lower()):
        return None, text
    return found[1].lower(), f"/{found[1]}{text[found.end() :]}"


def _replies_to(replied: Mapping[str, Any] | None, me: Me) -> bool:
    return replied is not None and (replied.get("from") or {}).get("id") == me.id


def _names(message: Mapping[str, Any], me: Me) -> bool:
    """Whether the bot is mentioned by a link to it, as clients do for accounts without a name."""
    entities = message.get("entities") or message.get("caption_entities") or ()
    return any(
        entity.get("type") == "text_mention" and (entity.get("user") or {}).get("id") == me.id
        for entity in entities
    )


def _attachments(message: Mapping[str, Any]) -> tuple[Attachment, ...]:
    found = []
    if message.get("photo"):
        largest = max(message["photo"], key=lambda size: size.get("width", 0) * size.get("height", 0))
        found.append(_file(AttachmentKind.IMAGE, largest, "image/jpeg"))
    for name, kind in _FILES.items():
        if name in message and not (name == "document" and "animation" in message):
            image = str(message[name].get("mime_type", "")).startswith("image/")
            found.append(_file(AttachmentKind.IMAGE if image else kind, message[name]))
    found += [Attachment(AttachmentKind.OTHER, "", name=name) for name in _NO_FILES if name in message]
    return tuple(found)


def _file(kind: AttachmentKind, raw: Mapping[str, Any], media_type: str | None = None) -> Attachment:
    reference = raw["file_id"]
    if not isinstance(reference, str):
        raise TypeError("file_id is no text")
    return Attachment(
        kind,
        reference,
        media_type=raw.get("mime_type") or media_type,
        name=raw.get("file_name"),
        size_bytes=raw.get("file_size"),
    )


def _storable(text: object) -> str:
    """A text that every store takes: no half of a surrogate pair, no NUL."""
    if not isinstance(text, str):
        raise TypeError("a text is no text")
    return text.encode(errors="replace").decode().replace("\0", "")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an id is no whole number")
    return value


def send_fields(message: OutboundMessage) -> dict[str, object]:
    """The parameters of sendMessage."""
    return {**place_fields(message), **content_fields(message.text), **NO_PREVIEW}


def place_fields(message: OutboundMessage) -> dict[str, object]:
    """Where a message goes. In a group an answer's first part quotes what it answers, if that still exists."""
    fields = chat_fields(message.chat)
    quoted = message.details.get("message_id")
    if message.chat.kind is ChatKind.GROUP and quoted is not None and not _LATER_PART.search(message.key):
        fields["reply_parameters"] = {"message_id": quoted, "allow_sending_without_reply": True}
    return fields


def content_fields(text: str) -> dict[str, object]:
    """What a message says: Markdown as Telegram's entities."""
    shown, entities = rendered(text)
    return {"text": shown, "entities": entities} if entities else {"text": shown}


def webhook_words(info: Mapping[str, Any]) -> str:
    """What Telegram says of a webhook, for a person."""
    url, waiting = info.get("url"), info.get("pending_update_count", 0)
    if not url:
        return "no webhook is set"
    error = info.get("last_error_message")
    return f"webhook {url}, {waiting} updates wait" + (f", last error: {error}" if error else "")


def message_id(raw: Any) -> int | None:  # noqa: ANN401 - whatever the platform sent
    """The number of a message that was sent, or None where the answer names none."""
    number = raw.get("message_id") if isinstance(raw, dict) else None
    return number if isinstance(number, int) else None


def chat_fields(chat: ChatRef) -> dict[str, object]:
    """The parameters that name a chat and its topic."""
    fields: dict[str, object] = {"chat_id": chat.id}
    if chat.thread is not None:
        fields["message_thread_id"] = chat.thread
    return fields
