"""Webhooks: what a platform posts is handed to its adapter as raw as it came.

    /api/bots/webhook/{platform}/{bot}              the bot's first channel of that platform that takes webhooks
    /api/bots/webhook/{platform}/{bot}/{channel}    one by its name; ?channel={channel} says the same

Rule: whether a request came from this machine is told by its peer AND by the name it asked for, so that a page in
the user's browser cannot reach a bot without a secret through a name that it made point here; a sign of a proxy
says that it came from elsewhere, for then the peer is only the proxy.
"""

from __future__ import annotations

from functools import lru_cache, partial
from ipaddress import ip_address
from typing import cast

from aiohttp import web

from adapters.contract import WebhookAdapter, WebhookRequest, WebhookResponse, WebhookStream
from runner.web.answers import SAFE_HEADERS, refusal
from runner.web.bodies import MAX_HOOK, body_of
from runner.web.parts import WebParts

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip", "true-client-ip", "cf-connecting-ip"})
_PROXY_PREFIX = "x-forwarded-"


def is_from_here(request: web.Request) -> bool:
    """Whether a request came from this machine, to a name of this machine, and through no proxy."""
    host = request.host.lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return (
        _is_loopback(request.remote)
        and name in _LOOPBACK_NAMES
        and not any(map(_is_a_proxys, request.headers))
    )


@lru_cache(1024)
def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False


def _is_a_proxys(header: str) -> bool:
    return header.lower() in _PROXY_HEADERS or header.lower().startswith(_PROXY_PREFIX)


def routes(parts: WebParts) -> list[web.RouteDef]:
    """Both ways of naming a channel."""

    async def hook(request: web.Request) -> web.StreamResponse:
        platform, bot_id = request.match_info["platform"], request.match_info["bot_id"]
        found = _adapter(parts, platform, bot_id, _named(request))
        if found is None:
            return refusal(404, "not_found", f"there is no {platform} bot {bot_id!r} that takes webhooks")
        channel, adapter = found
        body = await body_of(request, MAX_HOOK)
        if isinstance(body, web.Response):
            return body
        asked = WebhookRequest(
            method=request.method,
            headers=request.headers,
            body=body,
            query=request.query,
            peer_is_loopback=is_from_here(request),
        )
        told = await adapter.handle(asked, partial(parts.deliver, bot_id, channel))
        if told.stream is not None:
            return await _streamed(request, told, told.stream)
        return web.Response(
            body=told.body,
            status=told.status,
            content_type=told.content_type,
            headers={**SAFE_HEADERS, **told.headers},
        )

    path = "/api/bots/webhook/{platform}/{bot_id}"
    return [web.route("*", path, hook), web.route("*", f"{path}/{{channel}}", hook)]


def _named(request: web.Request) -> str | None:
    """The channel that the address names; None: it names none."""
    return request.match_info.get("channel") or request.query.get("channel") or None


async def _streamed(request: web.Request, told: WebhookResponse, stream: WebhookStream) -> web.StreamResponse:
    """Send the pieces as they come, until there are no more or the client left."""
    response = web.StreamResponse(status=told.status, headers=told.headers)
    response.content_type = told.content_type
    try:
        await response.prepare(request)
        async for piece in stream:
            await response.write(piece)
        await response.write_eof()
    except ConnectionError:
        pass  # nobody is told: whoever asks again with the same id gets the answer
    finally:
        await stream.aclose()
    return response


def _adapter(
    parts: WebParts, platform: str, bot_id: str, name: str | None
) -> tuple[str, WebhookAdapter] | None:
    """The bot's channel of that name, or its first one, on that platform that takes webhooks."""
    bot = parts.roster.bot(bot_id)
    for channel in bot.channels if bot is not None else ():
        adapter = parts.roster.adapter(bot_id, channel.name)
        wanted = channel.platform == platform and name in {None, channel.name}
        if wanted and adapter is not None and hasattr(adapter, "handle"):
            return channel.name, cast("WebhookAdapter", adapter)
    return None
