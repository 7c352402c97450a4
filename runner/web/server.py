"""The one HTTP server.

Rules: bodies are bounded; who connects and asks nothing within `HEADER_S`, or nothing more within `KEEP_ALIVE_S`,
is shown out; a fault of ours is a plain 500 that tells nothing and is logged whole, or 503 where the store fails; a
fault of a caller is not logged; stopping closes the door first and lets those inside finish, up to `FINISH_S`.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from runner.errors import OperatorError, StoreError
from runner.ports.observer import Fault, Observer
from runner.web import hooks
from runner.web.answers import answer, refusal
from runner.web.bodies import MAX_HOOK
from runner.web.building import build
from runner.web.parts import WebParts

KEEP_ALIVE_S = 30.0
HEADER_S = 10.0
FINISH_S = 5.0
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Server:
    """Listens."""

    def __init__(self, parts: WebParts, observer: Observer) -> None:
        self._observer = observer
        app = web.Application(middlewares=[self._catch], client_max_size=MAX_HOOK)
        build(app, parts)
        app.add_routes([*hooks.routes(parts), web.get("/health/live", _alive)])
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            handle_signals=False,
            keepalive_timeout=KEEP_ALIVE_S,
            logger=_log(),
            shutdown_timeout=FINISH_S,
        )
        self._door: asyncio.Server | None = None
        self._silent: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

    async def start(self, host: str, port: int) -> str:
        """Listen; returns the address, with the real port where `port` is 0.

        Raises:
            OperatorError: the address cannot be had.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._door = await loop.create_server(self._welcome, host, port, backlog=128)
        except OSError as error:
            await self._runner.cleanup()
            raise OperatorError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                "Another program uses that port, or the address is not of this machine: see server: in bots.yaml.",
            ) from error
        real = self._door.sockets[0].getsockname()[1]
        return f"http://{f'[{host}]' if ':' in host else host}:{real}"

    async def stop_listening(self) -> None:
        """Take no more connections."""
        if self._door is not None:
            self._door.close()
            self._door = None

    async def close(self) -> None:
        """Let requests under way finish, then end."""
        await self.stop_listening()
        await self._runner.cleanup()
        for alarm in self._silent.values():
            alarm.cancel()
        self._silent.clear()

    def _welcome(self) -> asyncio.BaseProtocol:
        """A new connection: it has so long to ask something."""
        server = self._runner.server
        assert server is not None  # noqa: S101 - set up before the door is opened
        protocol = server()
        alarm = asyncio.get_running_loop().call_later(HEADER_S, self._show_out, protocol)
        self._silent[protocol] = alarm
        return protocol

    def _show_out(self, protocol: web.RequestHandler) -> None:
        del self._silent[protocol]
        protocol.force_close()

    @web.middleware
    async def _catch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        alarm = self._silent.pop(request.protocol, None)
        if alarm is not None:
            alarm.cancel()
        try:
            return await handler(request)
        except web.HTTPException as error:
            allowed = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
            return refusal(error.status, _CODES.get(error.status, "refused"), error.reason, headers=allowed)
        except StoreError as error:
            self._observer.note(Fault(f"http {_route(request)}", str(error), error=error))
            return refusal(503, "store", "the store does not answer; try again", headers={"Retry-After": "1"})
        except Exception as error:  # noqa: BLE001 - told to the log, not to the caller
            self._observer.note(Fault(f"http {_route(request)}", repr(error), error=error))
            return refusal(500, "internal", "something went wrong here; it is in the log")


def _route(request: web.Request) -> str:
    """Which of our routes it is, in our words: what the caller wrote is no name for a fault."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


def _log() -> logging.Logger:
    """The HTTP library's log without what strangers do: anybody could fill it."""
    log = logging.Logger("aiohttp.server")  # noqa: LOG001 - one for this server, whatever else uses the library
    log.parent = logging.getLogger()
    log.addFilter(_is_ours)
    return log


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)


async def _alive(_: web.Request) -> web.Response:
    return answer({"status": "ok"})
