"""Files of the fake Slack: what files.info says of them. The server gives them out, with the bot's token only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from adapters.testing.slack_rules import ApiError

LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Login | Slack</title></head></html>"


@dataclass(frozen=True, slots=True)
class File:
    """One file. `more` goes over what files.info says of it."""

    name: str
    data: bytes
    media_type: str
    more: Mapping[str, object] = field(default_factory=dict)


def file_info(files: Mapping[str, File], origin: str, name: str) -> dict[str, Any]:
    """What files.info says. Raises ApiError."""
    file = files.get(name)
    if file is None:
        raise ApiError("file_not_found")
    address = f"{origin}/files-pri/{name}"
    return {
        "id": name,
        "name": file.name,
        "mimetype": file.media_type,
        "size": len(file.data),
        "mode": "hosted",
        "is_external": False,
        "url_private": f"{address}/{quote(file.name)}",
        "url_private_download": f"{address}/download/{quote(file.name)}",
        **file.more,
    }
