"""Attachments: asked for by message and id, for Discord's addresses are signed and expire, loaded with a limit.

    channel/message/attachment ─▶ GET the message ─▶ the attachment's fresh address ─▶ GET, without our token

Rules: only Discord's own file servers are asked, by https, or the host of the API that the bot is told to use. Never
more than allowed is read. What went wrong is told in a few words, which name no address.
"""

from __future__ import annotations

from typing import Any

from yarl import URL

from adapters.contract import Fetched, NotFetched
from adapters.discord.client import Client, Refused
from adapters.errors import AdapterError
from adapters.messages import Attachment

_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
_ANYTHING = "application/octet-stream"
_TOO_LARGE = NotFetched("it is too large")
_GONE = NotFetched("Discord does not have it any more")


async def fetch(client: Client, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
    """Load an attachment of at most `max_bytes`. Raises nothing but cancellation."""
    numbers = attachment.reference.split("/")
    if [number.isascii() and number.isdigit() for number in numbers] != [True, True, True]:
        return NotFetched("it is no file")
    if (attachment.size_bytes or 0) > max_bytes:
        return _TOO_LARGE
    try:
        return await _loaded(client, attachment, max_bytes)
    except Refused:
        return _GONE
    except AdapterError:
        return NotFetched("Discord could not be reached")


async def _loaded(client: Client, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
    channel, message, number = attachment.reference.split("/")
    found = _address(await client.get(f"/channels/{channel}/messages/{message}"), number, client.base_url)
    if isinstance(found, NotFetched):
        return found
    loaded = await client.load(found, max_bytes)
    if loaded is None:
        return _TOO_LARGE
    data, media_type = loaded
    return Fetched(data, attachment.media_type or media_type or _ANYTHING)


def _address(raw: Any, number: str, api: str) -> str | NotFetched:  # noqa: ANN401 - whatever the platform sent
    """Where an attachment is now, by what its message says."""
    try:
        urls = [str(one["url"]) for one in raw["attachments"] if one["id"] == number]
        url = URL(urls[0])
        known = url.scheme == "https" and url.host in _HOSTS
        return (
            urls[0]
            if known or url.origin() == URL(api).origin()
            else NotFetched("it is kept outside of Discord")
        )
    except (IndexError, KeyError, TypeError, ValueError):
        return _GONE
