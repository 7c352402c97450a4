"""Files that users sent: asked for by id, fetched from where Meta says, never more than was allowed.

Rules: a file that cannot be had is a value with a few words for a person; its address, which is good for five
minutes and for nobody else, is told to nobody.
"""

from __future__ import annotations

import re

from adapters.contract import Fetched, NotFetched
from adapters.errors import AdapterError
from adapters.messages import Attachment
from adapters.whatsapp.client import Client, Refused

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_UNKNOWN = "application/octet-stream"


async def fetched(client: Client, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
    """The bytes of an attachment, at most so many."""
    if not _ID.fullmatch(attachment.reference):
        return NotFetched("there is no file to it")
    try:
        facts = await client.medium(attachment.reference)
        size, url = facts.get("file_size"), facts.get("url")
        if not isinstance(url, str):
            return NotFetched("WhatsApp does not say where it is")
        large = isinstance(size, int) and size > max_bytes
        data = None if large else await client.download(url, max_bytes)
    except Refused as refused:
        return NotFetched(f"WhatsApp does not give it: {refused}")
    except AdapterError as error:
        return NotFetched(str(error))
    if data is None:
        return NotFetched("it is too large")
    told = facts.get("mime_type") or attachment.media_type
    return Fetched(data, told if isinstance(told, str) else _UNKNOWN)
