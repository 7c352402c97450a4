"""Attempts at servers that do not keep to HTTP, to SSE or to time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import UserMessage
from runner.money.usage import Usage
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.providers import attempt
from runner.providers.catalogue import Catalogue, define

ASKED = ModelRequest(ModelChoice("house", "m"), "Be kind.", (UserMessage("Hello?"),))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
SAID = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\n: a comment\r\n'
STOP = b'data:{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n'

Ask = Callable[..., Awaitable[Outcome]]


class RawServer:
    """Answers every connection with the same bytes, then closes it, or keeps it open."""

    def __init__(self) -> None:
        self.answer = b""
        self.stays = False
        self._over = asyncio.Event()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._over.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.answer and b"\r\n\r\n" in await reader.readuntil(b"\r\n\r\n"):
                writer.write(self.answer)
                await writer.drain()
            if self.stays:
                await self._over.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def raw() -> AsyncIterator[RawServer]:
    server = RawServer()
    yield server
    await server.stop()


@pytest.fixture
async def ask(raw: RawServer) -> AsyncIterator[Ask]:
    address = await raw.start()
    catalogues: list[Catalogue] = []

    async def asking(
        answer: bytes, *, stays: bool = False, scheme: str = "http", timeout_s: float = 30
    ) -> Outcome:
        raw.answer, raw.stays = answer, stays
        house = define("house", kind="openai", base_url=f"{scheme}://{address}/v1", api_key=Secret("sk"))
        catalogue = Catalogue({"house": house}, clock=SystemClock(), find_price=lambda *_: None)
        catalogues.append(catalogue)
        provider = catalogue.get("house")
        return await provider.complete(provider.prepare(ASKED), 100, timeout_s)

    yield asking
    for catalogue in catalogues:
        await catalogue.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<p>Hi</p>",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\ndata: {no\n",
        HEAD + b"Content-Length: 10\r\n\r\ndata: [1]\n",
        HEAD + b"Content-Length: 99\r\n\r\n" + SAID,
        HEAD + b"Content-Length: 21\r\n\r\ndata: {'choices': 7}\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD,
        b"220 ftp.example.com ready\r\n",
        b"",
    ],
)
async def test_nonsense_may_have_run(ask: Ask, answer: bytes) -> None:
    outcome = await ask(answer)
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.CUT


async def test_an_answer_in_odd_lines(ask: Ask) -> None:
    body = SAID + STOP + b"\ndata: [DONE]\n\n"
    outcome = await ask(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert isinstance(outcome, Completed)
    assert (outcome.reply.text, outcome.usage) == ("Hi", Usage(9, 1))


async def test_an_answer_whose_connection_stays_open_is_not_waited_for(ask: Ask) -> None:
    async with asyncio.timeout(30):
        outcome = await ask(HEAD + b"\r\n" + SAID + STOP + b"data: [DONE]\n\n", stays=True, timeout_s=60)
    assert isinstance(outcome, Completed)


async def test_an_answer_that_only_lacks_its_end_when_time_is_up_is_whole(ask: Ask) -> None:
    outcome = await ask(HEAD + b"\r\n" + SAID + STOP, stays=True, timeout_s=0.5)
    assert isinstance(outcome, Completed)
    assert outcome.usage == Usage(9, 1)


async def test_a_refusal_that_does_not_end_proves_nothing(ask: Ask) -> None:
    outcome = await ask(b"HTTP/1.1 429 No\r\nContent-Length: 9\r\n\r\n", stays=True, timeout_s=0.5)
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.TIMEOUT


async def test_a_stream_without_end_is_broken_off(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "MOST_BYTES", 1000)
    outcome = await ask(HEAD + b"\r\n" + SAID * 100, stays=True, timeout_s=60)
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.why) == (FaultKind.CUT, "the stream has no end")


@pytest.mark.parametrize("stays", [False, True])
async def test_no_handshake_no_run(ask: Ask, *, stays: bool) -> None:
    outcome = await ask(b"", scheme="https", stays=stays, timeout_s=0.5)
    assert isinstance(outcome, NotRun)
    assert outcome.kind is FaultKind.CONNECT
