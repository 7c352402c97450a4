"""The one HTTP server.

Rules: bodies are bounded, idle connections are closed, a fault of ours is a plain 500 that tells nothing and is
logged whole; stopping closes the door first and lets those inside finish.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from runner.errors import OperatorError
from runner.ports.observer import Fault, Observer
from runner.web import hooks, page
from runner.web.answers import answer, refusal
from runner.web.api import AdminApi
from runner.web.parts import WebParts

KEEP_ALIVE_S = 30.0
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Server:
    """Listens."""

    def __init__(self, parts: WebParts, observer: Observer) -> None:
        self._observer = observer
        app = web.Application(middlewares=[self._catch], client_max_size=hooks.MAX_BODY)
        app.add_routes([*hooks.routes(parts), *page.routes(parts), *AdminApi(parts).routes()])
        app.add_routes([web.get("/health/live", _alive)])
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=KEEP_ALIVE_S, handle_signals=False
        )
        self._site: web.TCPSite | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen; returns the address, with the real port where `port` is 0.

        Raises:
            OperatorError: the address cannot be had.
        """
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port)
        try:
            await self._site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise OperatorError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                "Another program uses that port, or the address is not of this machine: see server: in bots.yaml.",
            ) from error
        real = self._runner.addresses[0][1]
        return f"http://{f'[{host}]' if ':' in host else host}:{real}"

    async def stop_listening(self) -> None:
        """Take no more connections."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def close(self) -> None:
        """Let requests under way finish, then end."""
        await self._runner.cleanup()

    @web.middleware
    async def _catch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refusal(error.status, _CODES.get(error.status, "refused"), error.reason)
        except Exception as error:  # noqa: BLE001 - told to the log, not to the caller
            self._observer.note(Fault(f"http {request.path}", repr(error), error=error))
            return refusal(500, "internal", "something went wrong here; it is in the log")


async def _alive(_: web.Request) -> web.Response:
    return answer({"status": "ok"})
