"""Slack's JSON to our messages and back. Pure.

    event or slash command ─▶ parse(body, me) ─▶ InboundMessage | None | raises UnreadableUpdate
    OutboundMessage ─▶ post_fields ─▶ the arguments of chat.postMessage

Rules: a message is named by its channel and `ts`, which `app_mention` and `message` share while their event ids
differ. In a channel the answer goes into the thread of the question, so each question there begins a thread; in a
direct chat it goes into the chat, or the thread in it (assistant threads are such). What a model wrote pings
nobody: `harmless` changes the characters that mentions begin with, and never the length.

| what came                                     | what it is                                                     |
|-----------------------------------------------|----------------------------------------------------------------|
| message in a direct chat                      | addressed                                                      |
| mention of us (message, app_mention, or both) | addressed, the mention taken out                               |
| reply in a thread that we began               | addressed                                                      |
| other reply in a thread                       | not addressed; `in_thread` says that it is worth asking        |
| slash command                                 | the command, or its text; `/any reset` is `reset` as well      |
| edits, deletions, joins, our own messages     | None                                                           |
| messages of other bots                        | `sender.is_bot`                                                |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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

CAPABILITIES = Capabilities(
    max_text=12_000,
    text_units="utf16",  # Slack says characters and not of which kind; so many are allowed by either reading
    resends_unknown=True,
    chat_interval_s=1.0,
    bot_interval_s=0.2,
    shows_working=True,
    working_every_s=60.0,
    drafts=True,
    draft_every_s=2.0,
    draft_every_group_s=2.0,
    fetches=True,
)
METADATA_EVENT = "botrunner_part"
LONGEST_NOTICE = 200

_COMMANDS = frozenset({"help", "new", "reset", "start", "usage"})
_COMMAND = re.compile(r"/(\w{1,64})(?=\s|$)")
_WRITTEN = frozenset({None, "bot_message", "file_share", "me_message", "thread_broadcast"})
_REFERENCE = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
# Markdown knows other ways to write the same characters: a backslash before them, and entities.
_AFTER = r"(?:\\?[!@#]|&(?:#|commat|excl|num))"
_MENTION = re.compile(
    rf"<(?={_AFTER})|&(?=(?:lt|#0*60|#x0*3c);{_AFTER})|@(?=(?:channel|here|everyone)\b)", re.IGNORECASE
)
_HARMLESS = {"<": "\u2039", "&": "\uff06", "@": "\uff20"}


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is in its workspace. `mention` finds it in a text as Slack writes it."""

    team: str
    user: str
    bot: str = ""
    name: str = ""
    team_name: str = ""
    mention: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        found = rf"<@{re.escape(self.user)}(?:\|[^<>]*)?>[,:]?[ \t]?"
        object.__setattr__(self, "mention", re.compile(found))


def has_form(body: Any) -> bool:  # noqa: ANN401 - whatever the platform sent
    """Whether it can be told at all what this is."""
    if not isinstance(body, dict) or not body:
        return False
    event = body.get("event", {"type": ""})
    return isinstance(event, dict) and isinstance(event.get("type"), str)


def concerns_us(body: Mapping[str, Any]) -> bool:
    """Whether anybody here answers it: events, slash commands, the challenge of a new webhook address."""
    return "event" in body or "command" in body or body.get("type") == "url_verification"


def channel_of(body: Any) -> str:  # noqa: ANN401 - whatever the platform sent
    """In which channel something happened, "" where that cannot be told."""
    if not isinstance(body, dict):
        return ""
    event = body.get("event")
    channel = event.get("channel") if isinstance(event, dict) else body.get("channel_id")
    return channel if isinstance(channel, str) else ""


def casts_doubt(body: Mapping[str, Any]) -> bool:
    """Whether an event tells that our token may be dead."""
    event = body.get("event")
    return isinstance(event, dict) and event.get("type") in {"app_uninstalled", "tokens_revoked"}


def in_thread(message: InboundMessage) -> bool:
    """Whether this is a reply in a thread that may be ours, though nothing in it says so."""
    return not message.addressed and not message.sender.is_bot and message.reply_to is not None


def parse(body: Mapping[str, Any], me: Me) -> InboundMessage | None:
    """Read one event or slash command. None: nothing that we answer. Raises UnreadableUpdate."""
    try:
        if "command" in body:
            return _slash(body, me)
        event = body["event"]
        if event["type"] not in {"message", "app_mention"}:
            return None
        return _message(event, me)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        name = body.get("event_id") if isinstance(body, dict) else None
        raise UnreadableUpdate(
            f"event {name} cannot be read: {type(error).__name__} {str(error)[:80]}"
        ) from None


def _message(event: Mapping[str, Any], me: Me) -> InboundMessage | None:
    if event.get("subtype") not in _WRITTEN or event.get("hidden"):
        return None
    sender = _sender(event, me)
    if sender is None:
        return None
    written, attachments = event.get("text") or "", _attachments(event)
    if not isinstance(written, str):
        raise TypeError("a text is no text")
    if not written and not attachments:
        return None
    channel, ts, thread = _name(event["channel"]), _name(event["ts"]), event.get("thread_ts")
    direct = event.get("channel_type") in {"im", "app_home"} or channel.startswith("D")
    bare, mentions = me.mention.subn("", written)
    text = plain(bare.strip() if mentions else bare)
    return InboundMessage(
        event_id=f"{channel}:{ts}",
        account=me.team,
        chat=ChatRef(
            channel,
            ChatKind.DIRECT if direct else ChatKind.GROUP,
            thread=_name(thread) if thread else None if direct else ts,
        ),
        sender=sender,
        text=text,
        command=_command(text),
        addressed=direct
        or mentions > 0
        or event["type"] == "app_mention"
        or event.get("parent_user_id") == me.user,
        attachments=attachments,
        sent_at_ms=int(float(ts) * 1000),
        reply_to=None if not thread or thread == ts else str(thread),
        # Whom a stream is for; users of a shared channel have a workspace of their own.
        details={"ts": ts, "asker": sender.id, "team": _team(event) or me.team},
    )


def _slash(body: Mapping[str, Any], me: Me) -> InboundMessage:
    """A slash command. Slack has no message for it: it is named by its trigger, and nothing can quote it."""
    channel, user = _name(body["channel_id"]), _name(body["user_id"])
    name, rest = _name(body["command"]).removeprefix("/").lower(), plain(str(body.get("text") or ""))
    first = rest.split(maxsplit=1)[0].lower().removeprefix("/") if rest.strip() else ""
    command = name if name in _COMMANDS else first if first in _COMMANDS else None
    text = rest if command is None and rest.strip() else f"/{command or name} {rest}".strip()
    return InboundMessage(
        event_id=f"slash:{_name(body['trigger_id'])}",
        account=me.team,
        chat=ChatRef(channel, ChatKind.DIRECT if channel.startswith("D") else ChatKind.GROUP),
        sender=Sender(user, _storable(body.get("user_name")) or None),
        text=text,
        command=command,
        details={"user": user},
    )


def _sender(event: Mapping[str, Any], me: Me) -> Sender | None:
    """Who wrote; None for ourselves."""
    user, bot = event.get("user"), event.get("bot_id")
    if user == me.user or (bot is not None and bot == me.bot):
        return None
    if bot is not None or event.get("subtype") == "bot_message":
        return Sender(str(user or bot or "bot"), _storable(event.get("username")) or None, is_bot=True)
    name = _name(user)
    return Sender(name, is_bot=name == "USLACKBOT")


def _team(event: Mapping[str, Any]) -> str:
    team = event.get("user_team") or event.get("team")
    return team if isinstance(team, str) else ""


def _attachments(event: Mapping[str, Any]) -> tuple[Attachment, ...]:
    return tuple(_file(raw) for raw in event.get("files") or ())


def _file(raw: Mapping[str, Any]) -> Attachment:
    media_type = raw.get("mimetype")
    family = str(media_type or "").partition("/")[0]
    kinds = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.OTHER}
    gone = raw.get("mode") in {"tombstone", "hidden_by_limit"} or not media_type
    return Attachment(
        AttachmentKind.OTHER if gone else kinds.get(family, AttachmentKind.DOCUMENT),
        _name(raw["id"]),
        media_type=media_type or None,
        name=_storable(raw.get("name")) or None,
        size_bytes=raw.get("size") if isinstance(raw.get("size"), int) else None,
    )


def plain(text: str) -> str:
    """What a reader sees of a text in Slack's own writing: references spelled out, entities resolved."""
    shown = _REFERENCE.sub(_spelled, text)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(entity, character)
    return _storable(shown)


def _spelled(found: re.Match[str]) -> str:
    what, label = found[1], found[2]
    match what[:1]:
        case "@" | "#":
            return what[:1] + (label or what[1:]).removeprefix(what[:1])
        case "!":
            name = what[1:].partition("^")[0]
            return label or f"@{name}"
        case _:
            bare = what.removeprefix("mailto:").removeprefix("tel:")
            return bare if not label or label in {bare, what} else f"{label} ({bare})"


def _command(text: str) -> str | None:
    found = _COMMAND.match(text.lstrip())
    return found[1].lower() if found else None


def _name(value: object) -> str:
    """An id, which Slack always writes as text."""
    if not isinstance(value, str) or not value:
        raise TypeError("an id is no text")
    return _storable(value)


def _storable(text: object) -> str:
    """A text that every store takes: no half of a surrogate pair, no NUL; "" for what is no text."""
    return text.encode(errors="replace").decode().replace("\0", "") if isinstance(text, str) else ""


def harmless(text: str) -> str:
    """The text, of the same length, but a mention in it mentions nobody."""
    return _MENTION.sub(lambda found: _HARMLESS[found[0]], text)


def post_fields(
    message: OutboundMessage, *, in_thread: bool = True, blocks: bool = True
) -> dict[str, object]:
    """The arguments of chat.postMessage.

    Args:
        in_thread: False: beside the thread, where Slack does not take it in there.
        blocks: False: as Slack's older text, where it does not take the markdown block.
    """
    fields: dict[str, object] = {
        "channel": message.chat.id,
        **content_fields(message.text, blocks=blocks),
        "metadata": part_metadata(message.key),
        # A preview would let Slack fetch whatever address a model was talked into writing.
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if in_thread and message.chat.thread is not None:
        fields["thread_ts"] = message.chat.thread
    return fields


def content_fields(text: str, *, blocks: bool = True) -> dict[str, object]:
    """What a message says, harmless: a markdown block with a notice, or Slack's older text."""
    said = harmless(text)
    if not blocks:
        return {"text": said}
    notice = said if len(said) <= LONGEST_NOTICE else f"{said[: LONGEST_NOTICE - 1]}…"
    return {"text": notice, "blocks": [{"type": "markdown", "text": said}]}


def part_metadata(key: str) -> dict[str, object]:
    """What a whole part is found by in the history."""
    return {"event_type": METADATA_EVENT, "event_payload": {"key": key}}


def sent_key(raw: Any) -> str | None:  # noqa: ANN401 - whatever the platform sent
    """The key of the part that a message in the history is, None where it is none of ours."""
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    if not isinstance(metadata, dict) or metadata.get("event_type") != METADATA_EVENT:
        return None
    payload = metadata.get("event_payload")
    key = payload.get("key") if isinstance(payload, dict) else None
    return key if isinstance(key, str) else None
