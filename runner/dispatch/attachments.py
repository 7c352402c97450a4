"""What came with a message, in a shape that its model can take.

    picture          to models whose price row bounds a picture: fetched, sent along
    text document    fetched, decoded, put into the message
    PDF              fetched, its text read at arm's length (`documents`), put into the message
    voice message    the first of a message, where the bot has a model that writes speech down: fetched, measured,
                     heard (`agent/transcribe`), its text put into the message
    anything else    named to the model, so that it can say so; alone in a message: answered here, no model

Rules: fetched at the start of the turn and never stored: what a later turn sees is its name, of speech its text;
sizes are capped before anything is read; a file that cannot be had is named with the reason, never an error.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, replace
from typing import cast

from adapters.contract import Adapter, FetchingAdapter, NotFetched
from adapters.messages import Attachment, AttachmentKind, InboundMessage
from runner.agent.loop import LoopResult
from runner.agent.transcribe import Ear
from runner.conversations.attached import file_header, file_name
from runner.conversations.models import Picture
from runner.conversations.recordings import NotMeasured, Recording, measure
from runner.dispatch.documents import Documents
from runner.ports.dialogue import StopReason

MAX_PICTURE_BYTES = 5 * 1024 * 1024
MAX_VOICE_BYTES = 5 * 1024 * 1024
MAX_TEXT_BYTES = 256 * 1024
MAX_TEXT_CHARS = 60_000
MAX_PDF_BYTES = 10 * 1024 * 1024
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


SPOKEN = "[Voice message]"
NOTHING_HEARD = "I couldn't hear anything in that. Please try again, or write to me."
NOT_NOW = "I can't listen to voice messages right now. Please try again, or write to me."


@dataclass(frozen=True, slots=True)
class Perceived:
    """What the model gets; `end` is set where there is nothing that it could get, or no money to hear it."""

    text: str
    pictures: tuple[Picture, ...] = ()
    end: LoopResult | None = None


@dataclass(frozen=True, slots=True)
class _Note:
    """Stands for an attachment that could not be opened.

    Attributes:
        text: for the model; `alone`: for the user, where there is nothing else; `why`: for logs.
    """

    text: str
    alone: str
    why: str = ""


async def perceive(
    message: InboundMessage,
    adapter: Adapter | None,
    *,
    wanted: bool,
    sees: bool,
    ear: Ear,
    documents: Documents | None = None,
) -> Perceived:
    """Fetch what can be used of a message's attachments.

    Args:
        wanted: whether the bot takes attachments at all.
        sees: whether its model takes pictures at a bounded price.
        ear: hears one voice message.
        documents: reads PDFs; None: nobody does.

    Raises:
        StoreError: speech could not be paid for, for the store does not work; nothing was heard.
    """
    if not message.attachments:
        return Perceived(message.text)
    fetching = adapter is not None and adapter.capabilities.fetches and wanted
    source = cast("FetchingAdapter", adapter) if fetching else None
    voice = next((a for a in message.attachments[:MAX_ATTACHMENTS] if a.kind is AttachmentKind.AUDIO), None)
    parts: list[str | _Note] = [message.text] if message.text else []
    pictures: list[Picture] = []
    for number, attachment in enumerate(message.attachments):
        got: Picture | str | _Note | LoopResult | None = None
        if attachment is voice:
            got = await _heard(attachment, source, ear)
        elif source is not None and number < MAX_ATTACHMENTS:
            got = await _fetched(attachment, source, sees=sees)
            if got is None and documents is not None and _is_pdf(attachment):
                got = await _pdf(attachment, source, documents)
        match got:
            case LoopResult():
                return Perceived(message.text, end=got)
            case Picture():
                pictures.append(got)
            case _:
                parts.append(got or _note(attachment, "which you cannot open"))
    first = parts[0] if parts else None
    if isinstance(first, _Note) and not pictures and all(isinstance(part, _Note) for part in parts):
        return Perceived("", end=LoopResult(StopReason.UNREADABLE, first.alone, detail=first.why))
    texts = (part.text if isinstance(part, _Note) else part for part in parts)
    return Perceived("\n\n".join(texts), tuple(pictures))


async def _heard(
    attachment: Attachment, source: FetchingAdapter | None, ear: Ear
) -> str | _Note | LoopResult | None:
    """What was said; None where nobody listens; the turn's end where there is no money or time for it."""
    if ear.paid is not None:
        return _as_speech(attachment, ear.paid.reply.text)
    if source is None or not ear.hears:
        return None
    recording = await _recording(attachment, source)
    if isinstance(recording, _Note):
        return recording
    said = await ear.hear(recording)
    if isinstance(said, str):
        return _as_speech(attachment, said)
    if said.stop is not None:
        return LoopResult(said.stop, detail=said.why)
    return replace(_note(attachment, "which could not be heard just now", NOT_NOW), why=said.why)


async def _recording(attachment: Attachment, source: FetchingAdapter) -> Recording | _Note:
    """The voice message's file, measured beside the loop: what was made in bad faith takes its time."""
    got = await source.fetch(attachment, MAX_VOICE_BYTES)
    if isinstance(got, NotFetched):
        return _note(attachment, f"which could not be loaded: {got.why}", NOT_NOW)
    recording = await asyncio.to_thread(measure, got.data)
    if isinstance(recording, NotMeasured):
        return _note(attachment, f"which you cannot open: {recording.why}")
    return recording


async def _fetched(
    attachment: Attachment, adapter: FetchingAdapter, *, sees: bool
) -> Picture | str | _Note | None:
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


async def _pdf(attachment: Attachment, source: FetchingAdapter, documents: Documents) -> str | _Note | None:
    """A PDF's text; None where it has none that can be read."""
    got = await source.fetch(attachment, MAX_PDF_BYTES)
    if isinstance(got, NotFetched):
        return _note(attachment, f"which could not be loaded: {got.why}")
    text = await documents.text_of_pdf(got.data)
    if text is None:
        return None
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS]}\n[cut: there is more]"
    return f"{file_header(attachment.name)}\n{text}"


def _is_pdf(attachment: Attachment) -> bool:
    media_type = (attachment.media_type or "").partition(";")[0].strip().lower()
    return media_type == "application/pdf" or (attachment.name or "").lower().endswith(".pdf")


def _as_speech(attachment: Attachment, said: str) -> str | _Note:
    if not said.strip():
        return _note(attachment, "in which nothing could be heard", NOTHING_HEARD)
    return f"{SPOKEN} {said}"


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
    return f"{file_header(attachment.name)}\n{text}"


def _note(attachment: Attachment, why: str, alone: str | None = None) -> _Note:
    text = f"[The user sent a {_NAMES[attachment.kind]}{_named(attachment)}, {why}.]"
    return _Note(text, alone or ALONE[attachment.kind])


def _named(attachment: Attachment) -> str:
    return f" ({file_name(attachment.name)})" if attachment.name else ""
