"""Attachments: asked for by their id, loaded from Slack's file server with the bot's token, never more than allowed.

    files.info ─▶ url_private_download ─▶ GET, the token in its header ─▶ bytes, or a page to log in

Rules: the token goes to Slack's own hosts, by https, and to where the Web API is; never anywhere else, whatever
files.info or a redirect says. A redirect is followed on the same host only. Where Slack will not give a file it
answers 200 with a page for a browser: such a page is no file. What went wrong is told in a few words, which name no
address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yarl import URL

from adapters.contract import Fetched, NotFetched
from adapters.errors import AdapterError
from adapters.messages import Attachment
from adapters.slack.client import Client, Page, Refused

MOST_HOPS = 3
_SLACK = "slack.com"
_HTTPS_PORT = 443
_ANYTHING = "application/octet-stream"
_HTML = "text/html"
_HTML_BEGINS = (b"<!doctype html", b"<html")
_TOO_LARGE = NotFetched("it is too large")
_NO_SCOPE = NotFetched("Slack does not give it to this app: it needs the scope files:read")
_GONE = NotFetched("Slack does not have it any more")
_OUTSIDE = NotFetched("it is kept outside of Slack")
_UNSAID = NotFetched("Slack does not say where it is")
_AWAY = NotFetched("Slack could not be reached")


async def fetch(client: Client, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
    """Load an attachment of at most `max_bytes`. Raises nothing but cancellation."""
    if not attachment.reference:
        return NotFetched("it is no file")
    if (attachment.size_bytes or 0) > max_bytes:
        return _TOO_LARGE
    try:
        answer = await client.call("files.info", {"file": attachment.reference})
        raw = answer.get("file")
        return await _loaded(client, raw if isinstance(raw, dict) else {}, attachment, max_bytes)
    except Refused as refused:
        return _NO_SCOPE if refused.code == "missing_scope" else _GONE
    except AdapterError:
        return _AWAY


async def _loaded(
    client: Client, raw: Mapping[str, Any], attachment: Attachment, max_bytes: int
) -> Fetched | NotFetched:
    """Raises AdapterError."""
    url, size = _place(raw, URL(client.base_url)), raw.get("size")
    if isinstance(url, NotFetched):
        return url
    too_large = isinstance(size, int) and size > max_bytes
    page = None if too_large else await _followed(client, url, max_bytes)
    if too_large or (page is not None and page.data is None):
        return _TOO_LARGE
    if page is None or page.data is None or is_login(page.data, page.media_type, size):
        return _NO_SCOPE
    told = raw.get("mimetype") or attachment.media_type or page.media_type or _ANYTHING
    return Fetched(page.data, str(told))


def _place(raw: Mapping[str, Any], api: URL) -> URL | NotFetched:
    """Where a file is, by what files.info says of it."""
    if raw.get("mode") in {"tombstone", "hidden_by_limit"}:
        return _GONE
    if raw.get("is_external") is True:
        return _OUTSIDE
    url = _url(raw.get("url_private_download") or raw.get("url_private"))
    if url is None:
        return _UNSAID
    return url if may_see_token(url, api) else _OUTSIDE


async def _followed(client: Client, url: URL, max_bytes: int) -> Page | None:
    """What is there in the end; None: we are sent to another host, which is where one logs in."""
    for _ in range(MOST_HOPS + 1):
        page = await client.get(url, max_bytes)
        if page.elsewhere is None:
            return page
        target = _url(page.elsewhere, url)
        if target is None or target.origin() != url.origin():
            return None
        url = target
    return None


def may_see_token(url: URL, api: URL) -> bool:
    """Whether the bot's token may be sent to a file's address.

    Args:
        api: where the Web API is.
    """
    if url.origin() == api.origin():
        return True
    host = url.host or ""
    homes = (_SLACK, api.host or _SLACK)
    known = any(host == home or host.endswith(f".{home}") for home in homes)
    return known and (url.scheme, url.port) == ("https", _HTTPS_PORT)


def is_login(data: bytes, media_type: str, size: object) -> bool:
    """Whether this is a page for a browser in place of the file.

    Args:
        size: how many bytes the file has, as far as Slack says; a page that has as many is the file.
    """
    looks_like_it = media_type == _HTML or data[:256].lstrip().lower().startswith(_HTML_BEGINS)
    return looks_like_it and len(data) != size


def _url(raw: object, beside: URL | None = None) -> URL | None:
    """An address with scheme and host; None where it is none."""
    if not isinstance(raw, str) or not raw:
        return None
    try:
        url = URL(raw) if beside is None else beside.join(URL(raw))
        return url if url.scheme in {"http", "https"} and url.host and url.user is None else None
    except ValueError:
        return None
