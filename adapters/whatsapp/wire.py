"""Meta's JSON to our messages and back. Pure.

    webhook ─▶ parse(body, phone_number_id) ─▶ Webhook: messages, statuses, what could not be read
    answer  ─▶ send_fields(message) ─▶ POST …/messages ─▶ wamid(answer)

Rules: one webhook has any number of entries, changes, messages and statuses, and one of them that cannot be read
spoils no other. A user is known by the id that Meta makes for this business (`user_id`, `US.1349…`), since a user
with a name hides the phone number; before Meta sends that id, by the number. Such an id goes into `recipient`:
in `to`, Meta takes it for a number and loses the message. Media are referenced, never loaded. A reaction or a
notice of the system is no message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Capabilities, Pressure, WebhookResponse
from adapters.errors import UnreadableUpdate
from adapters.markup import WHATSAPP, render
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
)
from adapters.signatures import same
from adapters.whatsapp.faults import Fault, fault_of

CAPABILITIES = Capabilities(
    max_text=4096,
    pressure=Pressure.REFUSE,
    chat_interval_s=6.0,
    bot_interval_s=1 / 80,
    shows_working=True,
    working_every_s=20.0,
    fetches=True,
)
_FIELD = "messages"
_LONGEST_CALLBACK = 256
_COMMAND = re.compile(r"/(\w{1,64})(?=\s|$)")
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,160}")
_MEDIA: Mapping[str, AttachmentKind] = {
    "image": AttachmentKind.IMAGE,
    "document": AttachmentKind.DOCUMENT,
    "audio": AttachmentKind.AUDIO,
    "voice": AttachmentKind.AUDIO,
    "video": AttachmentKind.OTHER,
    "sticker": AttachmentKind.OTHER,
}
_NO_FILES = frozenset({"contacts", "location", "order", "unsupported"})
_NO_MESSAGES = frozenset({"ephemeral", "reaction", "request_welcome", "system"})


@dataclass(frozen=True, slots=True)
class Status:
    """What Meta says of a message that we sent: that it is `sent`, `delivered`, `read`, `failed`.

    Attributes:
        key: our own id of the message, which Meta repeats.
        fault: why it failed.
    """

    message_id: str
    state: str
    key: str | None = None
    fault: Fault | None = None


@dataclass(slots=True)
class Webhook:
    """All that one webhook brought, in its order.

    Attributes:
        unreadable: the parts that could not be read, as they came; `why`: the last one's fault.
        foreign: numbers that are not this bot's and have messages in here.
        complaints: what Meta has to say about the account.
    """

    messages: list[InboundMessage] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    unreadable: list[object] = field(default_factory=list)
    why: str = ""
    foreign: set[str] = field(default_factory=set)
    complaints: list[Fault] = field(default_factory=list)


def challenge(query: Mapping[str, str], verify_token: str) -> WebhookResponse:
    """The answer to the GET by which Meta makes sure that the address is ours."""
    if query.get("hub.mode") != "subscribe" or not same(query.get("hub.verify_token", ""), verify_token):
        return refusal(403, "the verify token is another one")
    return WebhookResponse(200, query.get("hub.challenge", "").encode(errors="replace"), "text/plain")


def refusal(status: int, why: str, headers: Mapping[str, str] | None = None) -> WebhookResponse:
    """A webhook that is not taken."""
    return WebhookResponse(status, json.dumps({"error": why}).encode(), headers=headers or {})


# ── what comes in ────────────────────────────────────────────────────────────────────────────────────────────
def parse(body: bytes, phone_number_id: str) -> Webhook:
    """Read one webhook, whatever of it can be read. Raises UnreadableUpdate where it is none."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableUpdate("a webhook is not JSON") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("entry"), list):
        raise UnreadableUpdate("a webhook has no entries")
    hook = Webhook()
    for entry in raw["entry"]:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            _skip(hook, entry, "an entry has no changes")
            continue
        for change in changes:
            try:
                _change(hook, change, phone_number_id)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                _skip(hook, change, f"a change cannot be read: {_said(error)}")
    return hook


def _change(hook: Webhook, change: Mapping[str, Any], phone_number_id: str) -> None:
    if change["field"] != _FIELD:
        return
    value = change["value"]
    about = value["metadata"]
    if str(about["phone_number_id"]) != phone_number_id:
        hook.foreign.add(str(about["phone_number_id"]))
        return
    own = _digits(about.get("display_phone_number"))
    people = [person for person in value.get("contacts") or () if isinstance(person, dict)]
    for raw in value.get("messages") or ():
        try:
            message = _message(raw, people, phone_number_id, own)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            _skip(hook, raw, f"a message cannot be read: {_said(error)}")
        else:
            if message is not None:
                hook.messages.append(message)
    for raw in value.get("statuses") or ():
        try:
            hook.statuses.append(_status(raw))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            _skip(hook, raw, f"a status cannot be read: {_said(error)}")
    hook.complaints += [fault_of(raw) for raw in value.get("errors") or ()]


def _message(
    raw: Mapping[str, Any], people: Sequence[Mapping[str, Any]], account: str, own: str
) -> InboundMessage | None:
    kind = _required(raw, "type")
    number, user_id, name = _who(raw, people)
    if kind in _NO_MESSAGES or (own and number == own):
        return None
    written, attachments = _content(raw, kind)
    if not written and not attachments:
        return None
    quoted = raw.get("context") or {}
    group = raw.get("group_id")
    sender = user_id or number
    if not sender:
        raise ValueError("nobody sent it")
    event_id = _required(raw, "id")
    command = _COMMAND.match(written)
    text, mentioned = (_without_mention(written, own)) if group else (written, False)
    answers_us = bool(own) and _digits(quoted.get("from")) == own
    return InboundMessage(
        event_id=event_id,
        account=account,
        chat=ChatRef(_storable(group), ChatKind.GROUP) if group else ChatRef(sender),
        sender=Sender(sender, name),
        text=text,
        command=command[1].lower() if command else None,
        addressed=not group or command is not None or mentioned or answers_us,
        attachments=attachments,
        sent_at_ms=int(raw["timestamp"]) * 1000 if "timestamp" in raw else None,
        reply_to=None if quoted.get("id") is None else _storable(quoted["id"]),
        details={"message_id": event_id, **({"to": number} if number else {})},
    )


def _who(raw: Mapping[str, Any], people: Sequence[Mapping[str, Any]]) -> tuple[str, str, str | None]:
    """Phone number, user id (each may be empty) and name of who wrote."""
    said, user_id = _storable(raw.get("from") or ""), _storable(raw.get("from_user_id") or "")
    if _USER_ID.fullmatch(said):
        said, user_id = "", user_id or said
    person = next(
        (one for one in people if said and one.get("wa_id") == said),
        next((one for one in people if user_id and one.get("user_id") == user_id), None),
    )
    if person is None and len(people) == 1 and not (said or user_id):
        person = people[0]
    if person is None:
        return said, user_id, None
    name = (person.get("profile") or {}).get("name")
    return (
        said or _storable(person.get("wa_id") or ""),
        user_id or _storable(person.get("user_id") or ""),
        _storable(name) if name else None,
    )


def _content(raw: Mapping[str, Any], kind: str) -> tuple[str, tuple[Attachment, ...]]:
    """What was written, and what came with it."""
    if kind in _NO_FILES:
        text = (raw.get("order") or {}).get("text") if kind == "order" else ""
        return _storable(text or ""), (Attachment(AttachmentKind.OTHER, "", name=kind.rstrip("s")),)
    body = raw[kind]
    match kind:
        case "text":
            return _storable(body["body"]), ()
        case "button":
            return _storable(body["text"]), ()
        case "interactive":
            chosen = body[_required(body, "type")]
            return _storable(chosen.get("title") or chosen.get("body") or ""), ()
        case _ if kind in _MEDIA:
            return _storable(body.get("caption") or ""), (_medium(_MEDIA[kind], body),)
        case _:
            raise ValueError(f"unknown type {kind[:40]!r}")


def _medium(kind: AttachmentKind, raw: Mapping[str, Any]) -> Attachment:
    media_type = raw.get("mime_type")
    image = kind is AttachmentKind.DOCUMENT and str(media_type).startswith("image/")
    size, name = raw.get("file_size"), raw.get("filename")
    return Attachment(
        AttachmentKind.IMAGE if image else kind,
        _required(raw, "id"),
        media_type=_storable(media_type) if media_type else None,
        name=_storable(name) if name else None,
        size_bytes=size if isinstance(size, int) else None,
    )


def _status(raw: Mapping[str, Any]) -> Status:
    errors = raw.get("errors") or ()
    key = raw.get("biz_opaque_callback_data")
    return Status(
        message_id=_required(raw, "id"),
        state=_required(raw, "status"),
        key=key if isinstance(key, str) else None,
        fault=fault_of(errors[0]) if errors else None,
    )


def _without_mention(text: str, own: str) -> tuple[str, bool]:
    """The text without `@` and our number, and whether that was in it."""
    if not own or "@" not in text:
        return text, False
    shown, mentions = re.subn(rf"(?<![\w@])@\+?{own}(?!\w)", "", text)
    return (shown.strip(), True) if mentions else (text, False)


def _skip(hook: Webhook, raw: object, why: str) -> None:
    hook.unreadable.append(raw)
    hook.why = why


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {str(error)[:80]}"


def _required(raw: Mapping[str, Any], name: str) -> str:
    value = _storable(raw[name])
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _storable(text: object) -> str:
    """A text that every store takes: no half of a surrogate pair, no NUL."""
    if not isinstance(text, str):
        raise TypeError("a text is no text")
    return text.encode(errors="replace").decode().replace("\0", "")


def _digits(value: object) -> str:
    return re.sub(r"\D", "", value) if isinstance(value, str) else ""


# ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────
def send_fields(message: OutboundMessage) -> dict[str, Any]:
    """The body of a text message. In a group the answer quotes what it answers."""
    fields: dict[str, Any] = {
        "messaging_product": "whatsapp",
        **_addressee(message),
        "type": "text",
        "text": {
            "preview_url": False,
            "body": render(message.text, WHATSAPP, CAPABILITIES.max_text),
        },
        "biz_opaque_callback_data": callback_data(message.key),
    }
    quoted = message.details.get("message_id")
    if message.chat.kind is ChatKind.GROUP and isinstance(quoted, str):
        fields["context"] = {"message_id": quoted}
    return fields


def callback_data(key: str) -> str:
    """Our id of a message as Meta takes and repeats it."""
    return key[-_LONGEST_CALLBACK:]


def _addressee(message: OutboundMessage) -> dict[str, str]:
    if message.chat.kind is ChatKind.GROUP:
        return {"recipient_type": "group", "to": message.chat.id}
    number = message.details.get("to")
    if not (isinstance(number, str) and _NUMBER.fullmatch(number)):
        number = message.chat.id
    name = "recipient" if _USER_ID.fullmatch(number) else "to"
    return {"recipient_type": "individual", name: number}


def read_fields(message_id: str, *, typing: bool) -> dict[str, Any]:
    """The body that marks a message as read and, with `typing`, shows that an answer is being made."""
    fields: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return {**fields, "typing_indicator": {"type": "text"}} if typing else fields


def wamid(answer: Mapping[str, Any]) -> str | None:
    """The id that Meta gave to a message; None where the answer names none."""
    messages = answer.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    number = first.get("id") if isinstance(first, dict) else None
    return number if isinstance(number, str) and number else None
