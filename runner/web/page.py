"""The small chat page at `/chat`: for a newcomer, on this machine only; at `/` too, as long as nobody is signed in.

Rules: nothing on it comes from another host, no script stands in the page; it talks to a bot's custom channel
like any other client.
"""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from runner.web.answers import SAFE_HEADERS, answer, moved, refusal
from runner.web.hooks import is_from_here
from runner.web.parts import WebParts
from runner.web.sessions import session_of

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "chat.html": "text/html",
    "chat.css": "text/css",
    "chat.js": "text/javascript",
    "reference.css": "text/css",
}


def routes(parts: WebParts, dashboard: Handler | None = None) -> list[web.RouteDef]:
    """The page, its two files and the list of bots to talk to; `dashboard`: what `/` is for who is signed in."""
    folder = files("runner.web") / "static"
    texts = {name: (folder / name).read_text("utf-8") for name in _FILES}

    def page(name: str) -> web.Response:
        headers = {**SAFE_HEADERS, "Content-Security-Policy": _CSP}
        return web.Response(text=texts[name], content_type=_FILES[name], charset="utf-8", headers=headers)

    async def chat(request: web.Request) -> web.Response:
        if not is_from_here(request):
            return refusal(403, "loopback_only", "the chat page is for the machine that the daemon runs on")
        return page("chat.html")

    async def index(request: web.Request) -> web.StreamResponse:
        if dashboard is not None and await session_of(request) is not None:
            return await dashboard(request)
        return page("chat.html") if is_from_here(request) else moved("/login")

    async def static(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return page(name) if name in texts else refusal(404, "not_found", "there is no such file")

    async def bots(request: web.Request) -> web.Response:
        if not is_from_here(request):
            return refusal(403, "loopback_only", "only for the machine that the daemon runs on")
        return answer(
            [
                {"id": live.bot.id, "name": live.bot.name}
                for live in parts.roster.live()
                if any(channel.platform == "custom" for channel in live.bot.channels)
            ],
        )

    return [
        web.get("/", index),
        web.get("/chat", chat),
        web.get("/static/{name}", static),
        web.get("/chat/bots", bots),
    ]
