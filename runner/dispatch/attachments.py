"""What came with a message, in a shape that its model can take.

    picture          to models whose price row bounds a picture: fetched, sent along
    text document    fetched, decoded, put into the message
    anything else    named to the model, so that it can say so; alone in a message: answered here, no model

Rules: fetched at the start of the turn and never stored: what a later turn sees is its name; sizes are capped
before anything is read; a file that cannot be had is named with the reason, never an error.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import cast

from adapters.contract import Adapter, FetchingAdapter, NotFetched
from adapters.messages import Attachment, AttachmentKind, InboundMessage
from runner.conversations.models import Picture

MAX_PICTURE_BYTES = 5 * 1024 * 1024
MAX_TEXT_BYTES = 256 * 1024
MAX_TEXT_CHARS = 60_000
MAX_ATTACHMENTS = 4
PICTURE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXT_TYPES = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml"}
)
_TEXT_ENDINGS = (".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".xml", ".log", ".ini", ".toml")
_NAMES = {
    AttachmentKind.IMAGE: "picture",
    AttachmentKind.DOCUMENT: "file",
    AttachmentKind.AUDIO: "voice message",
    AttachmentKind.OTHER: "attachment",
}
ALONE = {
    AttachmentKind.IMAGE: "I can't look at pictures. Please tell me in words.",
    AttachmentKind.DOCUMENT: "I can't open this kind of file. Please send its text.",
    AttachmentKind.AUDIO: "I can't listen to voice messages. Please write to me.",
    AttachmentKind.OTHER: "I can't open that. Please tell me in words.",
}


@dataclass(frozen=True, slots=True)
class Perceived:
    """What the model gets. `refusal` is set where there is nothing that it could get."""

    text: str
    pictures: tuple[Picture, ...] = ()
    refusal: str | None = None


async def perceive(
    message: InboundMessage, adapter: Adapter | None, *, wanted: bool, sees: bool
) -> Perceived:
    """Fetch what can be used of a message's attachments.

    Args:
        wanted: whether the bot takes attachments at all.
        sees: whether its model takes pictures at a bounded price.
    """
    if not message.attachments:
        return Perceived(message.text)
    texts, pictures = [message.text] if message.text else [], []
    for number, attachment in enumerate(message.attachments):
        got: Picture | str | None = None
        if wanted and number < MAX_ATTACHMENTS and adapter is not None and adapter.capabilities.fetches:
            got = await _fetched(attachment, cast("FetchingAdapter", adapter), sees=sees)
        if isinstance(got, Picture):
            pictures.append(got)
        else:
            texts.append(got or _note(attachment, "which you cannot open"))
    if not message.text and not pictures and all(text.startswith("[The user sent") for text in texts):
        return Perceived("", refusal=ALONE[message.attachments[0].kind])
    return Perceived("\n\n".join(texts), tuple(pictures))


async def _fetched(attachment: Attachment, adapter: FetchingAdapter, *, sees: bool) -> Picture | str | None:
    """The attachment as the model takes it; None where it takes none of its kind."""
    if attachment.kind is AttachmentKind.IMAGE and sees:
        got = await adapter.fetch(attachment, MAX_PICTURE_BYTES)
        if isinstance(got, NotFetched):
            return _note(attachment, f"which could not be loaded: {got.why}")
        if got.media_type in PICTURE_TYPES:
            return Picture(got.media_type, base64.b64encode(got.data).decode())
        return None
    if attachment.kind is AttachmentKind.DOCUMENT and _is_text(attachment):
        got = await adapter.fetch(attachment, MAX_TEXT_BYTES)
        if isinstance(got, NotFetched):
            return _note(attachment, f"which could not be loaded: {got.why}")
        return _as_text(attachment, got.data)
    return None


def _is_text(attachment: Attachment) -> bool:
    media_type = (attachment.media_type or "").partition(";")[0].strip().lower()
    named = (attachment.name or "").lower().endswith(_TEXT_ENDINGS)
    return media_type.startswith("text/") or media_type in _TEXT_TYPES or named


def _as_text(attachment: Attachment, data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS]}\n[cut: {len(text)} characters in all]"
    return f"[File {_name(attachment)}]\n{text}"


def _note(attachment: Attachment, why: str) -> str:
    return f"[The user sent a {_NAMES[attachment.kind]}{_named(attachment)}, {why}.]"


def _named(attachment: Attachment) -> str:
    return f" ({_name(attachment)})" if attachment.name else ""


def _name(attachment: Attachment) -> str:
    """The file's name on one line, not longer than a name is."""
    return " ".join((attachment.name or "without a name").split())[:100]
