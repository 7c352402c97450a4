"""Ways to talk to a bot from here: through the running daemon, or with the pipeline in this process.

    ThroughDaemon   each text is a call of the admin API
    InProcess       the pipeline lives in a thread of its own, so that the main thread reads the keyboard

Both walk the real pipeline and are really charged.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Protocol, Self

from runner.cli.daemon import Daemon
from runner.errors import OperatorError

Answer = Mapping[str, Any]
"""`response` with the figures of `runner.dispatch.report`."""

Say = Callable[[str], Awaitable[Answer]]


class Talk(Protocol):
    """A talk with one bot."""

    def say(self, text: str) -> Answer:
        """Say something and wait for the answer. Raises OperatorError."""


class ThroughDaemon:
    """With the daemon's bot."""

    def __init__(self, daemon: Daemon, bot_id: str, user: str, timeout_s: float) -> None:
        self._daemon = daemon
        self._bot_id = bot_id
        self._user = user
        self._timeout_s = timeout_s

    def say(self, text: str) -> Answer:
        """One call of the admin API."""
        return self._daemon.say(self._bot_id, text, self._user, self._timeout_s)


class InProcess:
    """With a session that lives from entering this context until leaving it."""

    def __init__(self, session: Callable[[], AbstractAsyncContextManager[Say]]) -> None:
        self._session = session
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Say]] = Future()
        self._thread = threading.Thread(target=self._live, name="talk")
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Start the session; what keeps it from starting is raised here."""
        self._thread.start()
        self._ready.result()
        return self

    def say(self, text: str) -> Answer:
        """Ask the session; Ctrl-C gives the question up."""
        loop, _, say = self._ready.result()
        asked: Future[Answer] = asyncio.run_coroutine_threadsafe(_ask(say, text), loop)
        try:
            return asked.result()
        except CancelledError:  # the session ended under us, and says why
            self._thread.join()
            raise self._failure or OperatorError("the talk was ended") from None
        except BaseException:
            asked.cancel()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the session and wait for its end."""
        loop, stop, _ = self._ready.result()
        with suppress(RuntimeError):  # its loop is closed: the session has ended by itself
            loop.call_soon_threadsafe(stop.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _live(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
            if self._ready.done():
                self._failure = error
            else:
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with self._session() as say:
            self._ready.set_result((asyncio.get_running_loop(), stop, say))
            await stop.wait()


async def _ask(say: Say, text: str) -> Answer:
    return await say(text)
