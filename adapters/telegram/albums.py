"""Albums: several updates that a person sent as one message. Pure.

    update of an album ─▶ may there be more? ─yes─▶ look again in HOLD_S, without confirming any of it
                                             └no──▶ one message with the texts and attachments of all

Rules: an album is whole when it has LARGEST parts, when its chat has gone on to something else, or when nothing
came for HOLD_S. Its event id is the album's own, so that whichever of its updates come again after a crash, it
stays the same message. A part that comes later than that is a message of its own, while we remember the album.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from adapters.messages import InboundMessage

HOLD_S = 0.5
LARGEST = 10
MOST_REMEMBERED = 256


def album_of(raw: Any) -> str | None:  # noqa: ANN401 - whatever the platform sent
    """The album that an update is part of, if any."""
    message = raw.get("message") if isinstance(raw, dict) else None
    album = message.get("media_group_id") if isinstance(message, dict) else None
    return album if isinstance(album, str) and album else None


def unfinished(updates: Mapping[int, Any], seen: Mapping[str, int]) -> dict[str, list[int]]:
    """The albums that may still grow, with the numbers of their updates.

    Args:
        updates: what waits, by number, in order.
        seen: how many parts of an album there were before the last wait.
    """
    parts: dict[str, list[int]] = {}
    for number, raw in updates.items():
        album = album_of(raw)
        if album is not None:
            parts.setdefault(album, []).append(number)
    if not parts:
        return parts
    last = {_chat(raw): album_of(raw) for raw in updates.values()}
    return {
        album: numbers
        for album, numbers in parts.items()
        if album in last.values() and seen.get(album, 0) < len(numbers) < LARGEST
    }


def _chat(raw: Mapping[str, Any]) -> str:
    message = raw.get("message")
    chat = message.get("chat") if isinstance(message, dict) else None
    return str(chat.get("id")) if isinstance(chat, dict) else ""


class Albums:
    """Makes one message of an album's parts, and remembers the last albums."""

    __slots__ = ("_handed_in",)

    def __init__(self) -> None:
        self._handed_in: OrderedDict[str, set[int]] = OrderedDict()

    def gathered(self, read: Iterable[tuple[int, str | None, InboundMessage]]) -> list[InboundMessage]:
        """The messages in order, each album as one, in the place of its first part.

        Args:
            read: number of the update, its album, what it says; in order.
        """
        messages: list[InboundMessage | str] = []
        parts: dict[str, dict[int, InboundMessage]] = {}
        for number, album, message in read:
            if album is None:
                messages.append(message)
                continue
            if album not in parts:
                messages.append(album)
            parts.setdefault(album, {})[number] = message
        merged = {album: self.merged(album, of_album) for album, of_album in parts.items()}
        found = (merged[one] if isinstance(one, str) else one for one in messages)
        return [message for message in found if message is not None]

    def merged(self, album: str, parts: Mapping[int, InboundMessage]) -> InboundMessage | None:
        """One message of the parts that are not handed in yet; None where all are."""
        known = self._handed_in.get(album)
        numbers = sorted(number for number in parts if number not in (known or ()))
        if not numbers:
            return None
        messages = [parts[number] for number in numbers]
        return replace(
            messages[0],
            event_id=f"album:{album}" if known is None else f"album:{album}:{numbers[0]}",
            text="\n\n".join(message.text for message in messages if message.text),
            command=next((message.command for message in messages if message.command), None),
            addressed=any(message.addressed for message in messages),
            attachments=tuple(attachment for message in messages for attachment in message.attachments),
            reply_to=next((message.reply_to for message in messages if message.reply_to), None),
        )

    def remember(self, album: str, numbers: Collection[int]) -> None:
        """These parts are durable."""
        self._handed_in.setdefault(album, set()).update(numbers)
        self._handed_in.move_to_end(album)
        while len(self._handed_in) > MOST_REMEMBERED:
            self._handed_in.popitem(last=False)
