"""Attachments: asked for by their id, loaded from the Bot API's file server, never more than allowed.

Rules: what went wrong is told in a few words, which name no address, for each holds the token. What a picture
is, its first bytes say; what else a file is, whoever sent it.
"""

from __future__ import annotations

from typing import Any

from adapters.contract import Fetched, NotFetched
from adapters.errors import AdapterError
from adapters.messages import Attachment
from adapters.telegram.client import Client, Refused

_TOO_LARGE = NotFetched("it is too large")
_ANYTHING = "application/octet-stream"
_RIFF = (b"RIFF", b"WEBP")
_FIRST_BYTES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))


async def fetch(client: Client, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
    """Load an attachment of at most `max_bytes`."""
    if not attachment.reference:
        return NotFetched("it is no file")
    if (attachment.size_bytes or 0) > max_bytes:
        return _TOO_LARGE
    try:
        data = await _loaded(client, attachment.reference, max_bytes)
    except Refused as refused:
        big = "too big" in str(refused).lower()
        return _TOO_LARGE if big else NotFetched("Telegram does not have it any more")
    except AdapterError:
        return NotFetched("Telegram could not be reached")
    return Fetched(data, media_type(data, attachment.media_type)) if isinstance(data, bytes) else data


async def _loaded(client: Client, file_id: str, max_bytes: int) -> bytes | NotFetched:
    """Raises AdapterError."""
    path, size = _place(await client.call("getFile", {"file_id": file_id}))
    if path is None:
        return NotFetched("Telegram does not say where it is")
    if path.startswith("/"):
        return NotFetched("the Bot API server keeps files on its own disk")
    data = None if size > max_bytes else await client.download(path, max_bytes)
    return _TOO_LARGE if data is None else data


def media_type(data: bytes, told: str | None) -> str:
    """What a file is."""
    for first, name in _FIRST_BYTES:
        if data.startswith(first):
            return name
    if (data[:4], data[8:12]) == _RIFF:
        return "image/webp"
    return told or _ANYTHING


def _place(raw: Any) -> tuple[str | None, int]:  # noqa: ANN401 - whatever the platform sent
    """Path and size of a file, as far as Telegram says."""
    found = raw if isinstance(raw, dict) else {}
    path, size = found.get("file_path"), found.get("file_size")
    return path if isinstance(path, str) and path else None, size if isinstance(size, int) else 0
