"""The words that adapters and the rest have in common.

Rules: everything is frozen; ids are text, whatever the platform makes of them; a message can be
written down as JSON and read back equal (`inbound_to_json`, `inbound_from_json`), because it is
stored before the platform is told that we have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ChatKind(StrEnum):
    """How many people read along."""

    DIRECT = "direct"
    GROUP = "group"


class AttachmentKind(StrEnum):
    """What an attachment is to a model."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ChatRef:
    """Where a message was said and where its answer goes.

    Attributes:
        id: the platform's id of the chat, channel or user to answer.
        kind: direct or group.
        thread: the topic or thread inside the chat, where there is one.
    """

    id: str
    kind: ChatKind = ChatKind.DIRECT
    thread: str | None = None

    @property
    def place(self) -> str:
        """Chat and thread in one text; equal for messages that belong side by side."""
        return self.id if self.thread is None else f"{self.id}/{self.thread}"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote; `name` is context for the model, never an identity."""

    id: str
    name: str | None = None
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that came with the text. `reference` is the platform's file id, never a URL with a token."""

    kind: AttachmentKind
    reference: str
    media_type: str | None = None
    name: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message for a bot.

    Attributes:
        event_id: the platform's id of this delivery's content; the same content delivered again has the same id.
        account: whose events these are (a Telegram bot's numeric id, a Slack team, …): part of the dedupe
            key, so that a new token never inherits the old one's ids.
        text: what the user wrote, without the mention of the bot.
        command: `reset` for `/reset …`, lower case, without slash and bot name; None for plain text.
        addressed: whether the bot was meant (always in a direct chat; a mention or reply in a group).
        live: whether its sender can see an answer grow, where the platform shows such drafts.
        sent_at_ms: Unix milliseconds by the platform's clock; None where it does not say.
        details: what only this adapter understands and needs for its answer (JSON values).
        task: what the message was declared as by whoever sent it; empty: nothing.
    """

    event_id: str
    chat: ChatRef
    sender: Sender
    text: str
    account: str = ""
    command: str | None = None
    addressed: bool = True
    attachments: tuple[Attachment, ...] = ()
    live: bool = True
    sent_at_ms: int | None = None
    reply_to: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message for a platform: one part of a reply, already split to the platform's length.

    Attributes:
        key: unique for this part and stable over restarts; the client nonce where a platform takes one.
        in_reply_to: the `event_id` that it answers; None for what nobody asked for.
        details: the inbound message's `details`, for the adapter that made them.
        report: facts of the turn for adapters whose answer is JSON (tokens, cost …), ready to serialise.
    """

    key: str
    chat: ChatRef
    text: str
    in_reply_to: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has it. `platform_id` is its id there."""

    platform_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly not delivered; worth another try after `retry_after_s` (None: our own back-off).

    Attributes:
        whole_bot: whether the platform asked the whole bot to wait, or this chat only.
    """

    why: str
    retry_after_s: float | None = None
    whole_bot: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The platform will never take this message (blocked by the user, chat gone, malformed)."""

    why: str


@dataclass(frozen=True, slots=True)
class FateUnknown:
    """It may or may not have arrived; sending it again blindly may double it."""

    why: str


SendResult = Sent | NotSent | Rejected | FateUnknown


def inbound_to_json(message: InboundMessage) -> str:
    """Write a message down, compact, readable by `inbound_from_json` of this and later versions."""
    return _encode(message)


def inbound_from_json(text: str) -> InboundMessage:
    """Read what `inbound_to_json` wrote. Raises ValueError or KeyError on anything else."""
    raw: dict[str, Any] = json.loads(text)
    chat = raw.pop("chat")
    return InboundMessage(
        **{
            **raw,
            "chat": ChatRef(chat["id"], ChatKind(chat["kind"]), chat["thread"]),
            "sender": Sender(**raw["sender"]),
            "attachments": tuple(
                Attachment(**{**a, "kind": AttachmentKind(a["kind"])}) for a in raw["attachments"]
            ),
        },
    )


def outbound_to_json(message: OutboundMessage) -> str:
    """Write an answer down for the outbox."""
    return _encode(message)


def outbound_from_json(text: str) -> OutboundMessage:
    """Read what `outbound_to_json` wrote."""
    raw: dict[str, Any] = json.loads(text)
    chat = raw.pop("chat")
    return OutboundMessage(**raw, chat=ChatRef(chat["id"], ChatKind(chat["kind"]), chat["thread"]))


def _record(part: Any) -> dict[str, object]:  # noqa: ANN401 - whatever json does not know itself
    """A part's fields: its slots. `dataclasses.asdict` also copies what is in them, at four times the cost."""
    return {name: getattr(part, name) for name in part.__slots__}


_encode = json.JSONEncoder(default=_record, ensure_ascii=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes an encoder each time."""
