"""What both kinds of batch servers do in the same way: a call that is answered in JSON, results line by line.

    a call refused for certain (4xx, no connection)     NotTaken(certain=True), to be asked again where that helps
    a call whose fate nobody knows                      NotTaken(certain=False)
    results                                             each line as (custom_id, Outcome); NotTaken where they end early

Rules: nothing here raises for what the network or the server does, and nothing is asked twice. An answer and a
line are bounded. A result that cannot be read is FateUnknown, or, where not even its id can be told, is told of
by a NotTaken at the end, so that nobody takes a line that is missing for one that never ran.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import httpx2

from runner.ports.batch_server import BatchItem, NotTaken, RemoteBatch
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.providers.attempt import Opened, opened_by

AGAIN_S = 30.0
"""When to ask again, where the server does not say."""
MOST_ANSWER = 8 * 1024 * 1024
LONGEST_LINE = 8 * 1024 * 1024
"""A result that is longer is not read; no model's output comes near."""
KEPT_OF_LONG = 512
MOST_PAGES = 20
PAGE = 100
CONFLICT = 409

CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEAD = re.compile(rb'\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
"""How a line of results begins, anchored: what a model says stands behind it."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
BROKEN = (aiohttp.ClientError, httpx2.HTTPError, OSError)

Opening = Callable[[], Awaitable[Opened]]
ReadLine = Callable[[Mapping[str, Any]], Outcome]
"""What one line of results says. May raise one of `UNREADABLE`."""
ReadBatch = Callable[[Mapping[str, Any]], RemoteBatch]
"""What a server says of a batch. May raise one of `UNREADABLE`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold."""

    lines: int
    size: int


def unfit(items: Sequence[BatchItem], limits: Limits) -> NotTaken | None:
    """Why nobody would take these lines, if so."""
    ids = {item.custom_id for item in items}
    if not items or len(items) > limits.lines:
        return NotTaken(f"a batch has 1 to {limits.lines} lines, not {len(items)}", certain=True)
    if len(ids) < len(items):
        return NotTaken("a custom_id is there twice", certain=True)
    if not all(CUSTOM_ID.fullmatch(custom_id) for custom_id in ids):
        return NotTaken("a custom_id is none: letters, digits, - and _, at most 64", certain=True)
    return None


def too_large(body: bytes, limits: Limits) -> NotTaken | None:
    """Why nobody would take a body of that size, if so."""
    if len(body) <= limits.size:
        return None
    return NotTaken(f"a batch is at most {limits.size // 1_000_000} MB large", certain=True)


def unstreamed(item: BatchItem, limit_field: str, leave_out: Sequence[str]) -> dict[str, Any]:
    """A line's request: as the provider prepared it, not streamed, with its output limit."""
    body: dict[str, Any] = json.loads(item.prepared.body)
    for field in ("stream", *leave_out):
        body.pop(field, None)
    body[limit_field] = item.max_output_tokens
    return body


def packed(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def ask(opening: Opening, timeout_s: float) -> Mapping[str, Any] | NotTaken:
    """Make one call that is answered by a JSON object."""
    try:
        async with asyncio.timeout(timeout_s):
            opened = await opened_by(opening)
            if not isinstance(opened, httpx2.Response):
                return refused(opened)
            try:
                data = await _whole(opened)
            finally:
                await opened.aclose()
        answer = json.loads(data)
    except TimeoutError:
        return NotTaken("no answer in time", certain=False, again_s=AGAIN_S)
    except BROKEN as error:
        return NotTaken(f"the connection broke ({type(error).__name__})", certain=False, again_s=AGAIN_S)
    except UNREADABLE:
        return NotTaken("the answer is no JSON", certain=False, again_s=AGAIN_S)
    if not isinstance(answer, Mapping):
        return NotTaken("the answer is no JSON object", certain=False, again_s=AGAIN_S)
    return answer


async def ask_of_batch(opening: Opening, timeout_s: float, read: ReadBatch) -> RemoteBatch | NotTaken:
    """Make one call that is answered by a batch."""
    answer = await ask(opening, timeout_s)
    if isinstance(answer, NotTaken):
        return answer
    try:
        return read(answer)
    except UNREADABLE as fault:
        why = f"the answer tells of no batch ({type(fault).__name__})"
        return NotTaken(why, certain=False, again_s=AGAIN_S)


def refused(outcome: NotRun | FateUnknown) -> NotTaken:
    """A call that came to nothing, or to nobody knows what."""
    if isinstance(outcome, FateUnknown):
        return NotTaken(outcome.why, certain=False, again_s=AGAIN_S)
    final = outcome.kind is FaultKind.REJECTED or outcome.status == CONFLICT
    again_s = AGAIN_S if outcome.retry_after_s is None else outcome.retry_after_s
    return NotTaken(outcome.why, certain=True, again_s=None if final else again_s)


async def recent(
    page: Callable[[Mapping[str, object]], Opening],
    cursor: str,
    since_ms: int,
    timeout_s: float,
    read: ReadBatch,
) -> list[RemoteBatch] | NotTaken:
    """Go through a list, page by page, until it tells only of what was made before; the latest first.

    `cursor` is the field that asks for the next page. A list that has no end is not told at all: who looks for
    a batch in it must not believe that it is not there.
    """
    found: list[RemoteBatch] = []
    params: dict[str, object] = {"limit": PAGE}
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MOST_PAGES):
                answer = await ask(page(dict(params)), timeout_s)
                if isinstance(answer, NotTaken):
                    return answer
                batches = [read(raw) for raw in answer["data"]]
                found += [batch for batch in batches if batch.created_ms >= since_ms]
                older = all(batch.created_ms < since_ms for batch in batches)
                if older or not answer.get("has_more"):
                    return sorted(found, key=lambda batch: batch.created_ms, reverse=True)
                params[cursor] = answer.get("last_id") or batches[-1].id
    except TimeoutError:
        return NotTaken("no answer in time", certain=False, again_s=AGAIN_S)
    except UNREADABLE as fault:
        return NotTaken(f"the list cannot be read ({type(fault).__name__})", certain=False, again_s=AGAIN_S)
    return NotTaken("the list has no end", certain=False)


async def results(
    openings: Sequence[Opening], timeout_s: float, read: ReadLine
) -> AsyncGenerator[tuple[str, Outcome] | NotTaken]:
    """The lines of these files, one after another; nothing of the network is waited for longer than `timeout_s`."""
    lost = 0
    for opening in openings:
        async with aclosing(_lines(opening, timeout_s)) as lines:
            async for line in lines:
                if isinstance(line, NotTaken):
                    yield line
                    return
                told = _told(line, read)
                if told is None:
                    lost += 1
                else:
                    yield told
    if lost:
        yield NotTaken(f"{lost} lines of the results cannot be read", certain=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of results. `whole`: else it was too long, and this is its beginning."""

    data: bytes
    whole: bool = True


class Lines:
    """Cuts a stream of bytes into lines, none of them longer than `longest`. Pure."""

    __slots__ = ("_cut", "_longest", "_rest")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> list[Line]:
        """Take more bytes; returns the lines that are over now."""
        *whole, rest = data.split(b"\n")
        lines = [line for piece in whole if (line := self._over(piece)).data]
        self._add(rest)
        return lines

    def end(self) -> list[Line]:
        """The last line, where nothing stands behind it."""
        line = self._over(b"")
        return [line] if line.data else []

    def _add(self, piece: bytes) -> None:
        if self._cut:
            return
        self._rest += piece
        if len(self._rest) > self._longest:
            self._cut = True
            del self._rest[KEPT_OF_LONG:]

    def _over(self, piece: bytes) -> Line:
        self._add(piece)
        line = Line(bytes(self._rest).strip(), not self._cut)
        self._rest, self._cut = bytearray(), False
        return line


async def _lines(opening: Opening, timeout_s: float) -> AsyncGenerator[Line | NotTaken]:
    """A file's lines as they come. What does the waiting for them is not timed: it may take as long as it likes."""
    lines = Lines(LONGEST_LINE)
    response: httpx2.Response | None = None
    try:
        async with asyncio.timeout(timeout_s):
            opened = await opened_by(opening)
        if not isinstance(opened, httpx2.Response):
            yield refused(opened)
            return
        response = opened
        stream = response.aiter_bytes()
        while True:
            async with asyncio.timeout(timeout_s):
                data = await anext(stream, None)
            for line in lines.end() if data is None else lines.feed(data):
                yield line
            if data is None:
                return
    except TimeoutError:
        yield NotTaken("the results stopped coming", certain=False, again_s=AGAIN_S)
    except BROKEN as error:
        why = f"the results broke off ({type(error).__name__})"
        yield NotTaken(why, certain=False, again_s=AGAIN_S)
    finally:
        if response is not None:
            await response.aclose()


def _told(line: Line, read: ReadLine) -> tuple[str, Outcome] | None:
    """A line's id and outcome; None: it does not even tell whose it is."""
    if not line.whole:
        return _of_head(line.data, "the result is too long to be read")
    try:
        raw = json.loads(line.data)
        custom_id = raw["custom_id"]
    except UNREADABLE:
        return _of_head(line.data, "the result cannot be read")
    if not isinstance(custom_id, str):
        return None
    try:
        return custom_id, read(raw)
    except UNREADABLE as fault:
        why = f"the result cannot be read ({type(fault).__name__})"
        return custom_id, FateUnknown(FaultKind.NO_USAGE, why)


def _of_head(data: bytes, why: str) -> tuple[str, Outcome] | None:
    found = _HEAD.match(data)
    return None if found is None else (found[1].decode(), FateUnknown(FaultKind.NO_USAGE, why))


async def _whole(response: httpx2.Response) -> bytes:
    """An answer's body. Raises ValueError where it has no end."""
    body = bytearray()
    async for data in response.aiter_bytes():
        body += data
        if len(body) > MOST_ANSWER:
            raise ValueError("longer than any answer")
    return bytes(body)


def made_for_certain_not(refusal: NotTaken) -> NotTaken:
    """The same refusal, of a call before the one that makes the batch."""
    return replace(refusal, certain=True)
