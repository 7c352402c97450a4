"""The fake model server's addresses for batches: those of Anthropic and those of OpenAI.

Rules: what `BatchBook.script` says of a call comes in place of its answer; a request that is not exactly right is
a 400, and a batch that is not known is a 404. Lists are told in pages, the latest first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from runner.testing import model_batch_ways as ways
from runner.testing import model_wire
from runner.testing.model_batches import (
    BatchBook,
    Call,
    CutOff,
    MadeBatch,
    MadeLine,
    Trouble,
    before_the_cut,
)
from runner.testing.model_script import Drop, Fault, Hang

SHORT_PAGE = 20
WRONG = (ValueError, KeyError, TypeError, AttributeError)


class Gate(Protocol):
    """What the server itself does with each request that comes in."""

    async def admit(self, request: web.Request) -> tuple[bytes, bool]:
        """Remember the request; its body, and whether it brought the right key."""


Do = Callable[[web.Request, bytes], dict[str, Any] | None]
"""Does what is asked, and says what is told; None: there is no such thing. May raise one of `WRONG`."""


class BatchRoutes:
    """Answers the calls."""

    def __init__(self, book: BatchBook, gate: Gate, stopping: asyncio.Event) -> None:
        self._book = book
        self._gate = gate
        self._stopping = stopping
        self._files: dict[str, bytes] = {}

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Hang them up."""
        batches, messages = "/v1/batches", "/v1/messages/batches"
        router.add_post("/v1/files", self._call("upload", ways.CHAT, self._upload))
        router.add_get("/v1/files/{id}/content", self._content)
        for path, way, make in ((batches, ways.CHAT, self._make_chat), (messages, ways.MESSAGES, self._make)):
            router.add_post(path, self._call("submit", way, make))
            router.add_get(path, self._call("recent", way, self._list))
            router.add_get(f"{path}/{{id}}", self._call("look", way, self._look))
            router.add_post(f"{path}/{{id}}/cancel", self._call("cancel", way, self._cancel))
        router.add_get(f"{messages}/{{id}}/results", self._message_results)

    def _call(self, call: Call, way: str, do: Do) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            raw, allowed = await self._gate.admit(request)
            if not allowed:
                return _refuse(Fault(401, "this is not the key"), way)
            trouble = self._book.trouble(call)
            if trouble is not None and not isinstance(trouble, CutOff):
                return await self._trouble(request, trouble, way)
            try:
                told = do(request, raw)
            except _Refused as refused:
                return _refuse(refused.fault, way)
            except WRONG as fault:
                return _refuse(Fault(400, f"{type(fault).__name__}: {fault}"), way)
            if trouble is not None:
                return await self._trouble(request, trouble, way)
            return (
                _refuse(Fault(404, "there is no such thing"), way)
                if told is None
                else web.json_response(told)
            )

        return answer

    def _upload(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        data = ways.uploaded(raw, request.headers.get("Content-Type", ""))
        file_id = f"file-{len(self._files) + 1}"
        self._files[file_id] = data
        told = {"id": file_id, "object": "file", "bytes": len(data), "filename": "batch.jsonl"}
        return {**told, "purpose": "batch", "created_at": 0, "status": "processed"}

    def _make_chat(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        names = ("input_file_id", "endpoint", "completion_window", "metadata")
        file_id, endpoint, window, metadata = ways.fields(json.loads(raw), *names)
        (mark,) = ways.fields(metadata, "botrunner")
        if (endpoint, window) != (ways.ENDPOINT, "24h"):
            raise ValueError("no such endpoint, or completion window")
        lines = ways.chat_lines(self._files[file_id])
        return ways.chat_batch(self._book.make(lines, mark, way=ways.CHAT, file_id=file_id))

    def _make(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        if "anthropic-version" not in request.headers:
            raise ValueError("anthropic-version: missing")
        batch = self._book.make(ways.message_lines(raw), way=ways.MESSAGES)
        return ways.message_batch(batch, str(request.url.origin()))

    def _list(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        way = ways.MESSAGES if "messages" in request.path else ways.CHAT
        batches = [batch for batch in self._book.recent() if batch.way == way]
        after = request.query.get("after_id" if way == ways.MESSAGES else "after")
        if after is not None:
            batches = batches[[batch.id for batch in batches].index(after) + 1 :]
        page = batches[: int(request.query.get("limit", SHORT_PAGE))]
        data = [_told(batch, request) for batch in page]
        ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {}
        return {"object": "list", "data": data, "has_more": len(page) < len(batches), **ends}

    def _look(self, request: web.Request, raw: bytes) -> dict[str, Any] | None:
        batch = self._book.look(request.match_info["id"])
        return None if batch is None else _told(batch, request)

    def _cancel(self, request: web.Request, raw: bytes) -> dict[str, Any] | None:
        batch = self._book.made.get(request.match_info["id"])
        if batch is not None and batch.over:
            raise _Refused(Fault(400 if batch.way == ways.MESSAGES else 409, "it is over"))
        batch = self._book.cancel(request.match_info["id"])
        return None if batch is None else _told(batch, request)

    async def _message_results(self, request: web.Request) -> web.StreamResponse:
        batch = self._book.made.get(request.match_info["id"])
        lines = self._book.results(batch) if batch is not None and batch.over else None
        return await self._results(request, lines, ways.message_result, ways.MESSAGES)

    async def _content(self, request: web.Request) -> web.StreamResponse:
        batch_id, _, kind = request.match_info["id"].partition(".")
        batch = self._book.made.get(batch_id)
        lines = None
        if batch is not None and batch.over:
            in_file = ways.chat_file(batch, kind)
            lines = [line for line in self._book.results(batch) if line in in_file]
        return await self._results(request, lines or None, ways.chat_result, ways.CHAT)

    async def _results(
        self,
        request: web.Request,
        lines: list[MadeLine] | None,
        tell: Callable[[MadeLine], bytes],
        way: str,
    ) -> web.StreamResponse:
        _, allowed = await self._gate.admit(request)
        if not allowed:
            return _refuse(Fault(401, "this is not the key"), way)
        trouble = self._book.trouble("results")
        if trouble is not None and not isinstance(trouble, CutOff):
            return await self._trouble(request, trouble, way)
        if lines is None:
            return _refuse(Fault(404, "there are no results, or not yet"), way)
        response = web.StreamResponse(headers={"Content-Type": "application/binary"})
        await response.prepare(request)
        for line in before_the_cut(lines, trouble):
            self._book.told(line)
            await response.write(tell(line) + b"\n")
        if trouble is not None:
            _close(request)
        else:
            await response.write_eof()
        return response

    async def _trouble(self, request: web.Request, trouble: Trouble, way: str) -> web.StreamResponse:
        match trouble:
            case Fault():
                return _refuse(trouble, way)
            case Hang():
                await self._stopping.wait()
            case Drop() | CutOff():
                pass
        _close(request)
        return web.Response(status=500)


class _Refused(Exception):
    """What is asked cannot be done."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _told(batch: MadeBatch, request: web.Request) -> dict[str, Any]:
    if batch.way == ways.MESSAGES:
        return ways.message_batch(batch, str(request.url.origin()))
    return ways.chat_batch(batch)


def _refuse(fault: Fault, way: str) -> web.Response:
    tell = model_wire.message_error if way == ways.MESSAGES else model_wire.chat_error
    headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
    if fault.location is not None:
        headers["location"] = fault.location
    return web.json_response(tell(fault.message, fault.status), status=fault.status, headers=headers)


def _close(request: web.Request) -> None:
    """Close the connection after what was written, without the end that HTTP promised."""
    if request.transport is not None:
        request.transport.close()
