"""Batches: many requests of one bot, answered within a day, for less.

Rules: money for every line is held before the answer to the submission; what could not be held is refused whole. The
same key twice is one batch, so a submission whose answer was lost may be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from runner.agent.batch_meter.opening import NotOpened
from runner.dispatch.batch_lines import MOST_BYTES, LineFault, read_objects
from runner.ports.batches import Batch, LineEnd
from runner.web.answers import SAFE_HEADERS, answer, refusal
from runner.web.api.batch_models import (
    MOST_BATCHES,
    BatchList,
    BatchPage,
    BatchShown,
    NewBatch,
    ResultPage,
    Results,
    ResultShown,
    batch_shown,
    result_shown,
)
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing, invalid
from runner.web.faults import fault
from runner.web.parts import WebParts

GROUP = "Batches"
JSONL = "application/x-ndjson"
_REFUSED = {"limit": (402, "limit_reached"), "busy": (409, "busy"), "unserved": (409, "not_served")}


class Batches:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._store = parts.store.batches

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        here, one = "/api/bots/{bot_id}/batches", "/api/bots/{bot_id}/batches/{batch}"
        taken = Answer("It is taken, and money is held for every line.", BatchShown)
        again = Answer("That key made this batch before: nothing was made now.", BatchShown)
        shown, listed = {200: Answer("The batch.", BatchShown)}, {200: Answer("Batches.", BatchList)}
        results = {200: Answer("Results; with `format=jsonl` all of them.", Results, also=(JSONL,))}
        none, gone = {404: "There is no such bot."}, {404: "There is no such batch."}
        refusals = {
            402: "A limit does not leave enough for all of its lines.",
            404: "There is no such bot, or it is switched off.",
            409: "Others hold the money now, or the bot's model is not served in batches.",
        }
        return [
            Call("POST", here, "Hand in a batch.", "admin", self._submit, Nothing, NewBatch,
                 {201: taken, 200: again}, refusals, group=GROUP, most=MOST_BYTES),
            Call("GET", here, "A bot's batches.", "read", self._of_bot, BatchPage, Nothing, listed, none, group=GROUP),
            Call("GET", "/api/batches", "All bots' batches.", "read", self._all, BatchPage, Nothing, listed,
                 group=GROUP),
            Call("GET", "/api/batches/{batch}", "How far a batch is, whosever it is.", "read", self._any, Nothing,
                 Nothing, shown, gone, group=GROUP),
            Call("GET", one, "How far a batch is.", "read", self._one, Nothing, Nothing, shown, gone, group=GROUP),
            Call("GET", f"{one}/results", "What became of its lines.", "read", self._results, ResultPage, Nothing,
                 results, gone, group=GROUP),
            Call("POST", f"{one}/cancel", "Stop a batch; what ran already is paid.", "admin", self._cancel, Nothing,
                 Nothing, shown, {**gone, 409: "It is over."}, group=GROUP),
        ]  # fmt: skip

    async def _submit(self, asked: Asked[Nothing, NewBatch]) -> web.StreamResponse:
        bot = self._parts.roster.bot(asked.params["bot_id"])
        if bot is None:
            return refusal(
                404, "not_found", f"there is no bot {asked.params['bot_id']!r} that is switched on"
            )
        prompts = read_objects(asked.raw["lines"], bot.limits.max_output_tokens)
        faults = [each for each in prompts if isinstance(each, LineFault)]
        if faults:
            return invalid([fault(_path(each), each.message) for each in faults])
        lines = [each for each in prompts if not isinstance(each, LineFault)]
        done = await self._parts.desk.submit(bot, lines, asked.body.key or "")
        if isinstance(done, NotOpened):
            status, code = _REFUSED[done.kind]
            return refusal(status, code, done.why)
        return await self._told(done.batch, 201 if done.fresh else 200)

    async def _of_bot(self, asked: Asked[BatchPage, Nothing]) -> web.StreamResponse:
        bot = asked.params["bot_id"]
        if all(known.id != bot for known in self._parts.defined()):
            return refusal(404, "not_found", f"there is no bot {bot[:80]!r}")
        return await self._listed(bot, asked.query.limit)

    async def _all(self, asked: Asked[BatchPage, Nothing]) -> web.StreamResponse:
        return await self._listed(None, asked.query.limit)

    async def _listed(self, bot: str | None, limit: int) -> web.StreamResponse:
        shown = await shown_batches(self._parts, await self._store.batches(bot, min(limit, MOST_BATCHES)))
        return answer({"batches": [each.model_dump() for each in shown]})

    async def _one(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        batch = await self._found(asked)
        return batch if isinstance(batch, web.Response) else await self._told(batch)

    async def _any(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        name = asked.params["batch"]
        batch = await self._store.batch(name)
        if batch is None:
            return refusal(404, "not_found", f"there is no batch {name[:80]!r}")
        return await self._told(batch)

    async def _results(self, asked: Asked[ResultPage, Nothing]) -> web.StreamResponse:
        batch, query = await self._found(asked), asked.query
        if isinstance(batch, web.Response):
            return batch
        if query.form == "jsonl":
            return await self._stream(asked.request, batch, query)
        ends = await self._store.line_ends(batch.id, query.after, query.limit)
        more = len(ends) == query.limit and ends[-1].number < batch.lines
        results = [_result(end).model_dump() for end in ends]
        return answer({"results": results, "next": ends[-1].number if more else None})

    async def _stream(self, request: web.Request, batch: Batch, query: ResultPage) -> web.StreamResponse:
        """All of them, page by page, so that none of it is held for long."""
        response = web.StreamResponse(headers={**SAFE_HEADERS, "Content-Type": JSONL})
        await response.prepare(request)
        after = query.after
        while ends := await self._store.line_ends(batch.id, after, query.limit):
            lines = [json.dumps(_result(end).model_dump(), ensure_ascii=False) for end in ends]
            await response.write(("\n".join(lines) + "\n").encode(errors="replace"))
            after = ends[-1].number
        await response.write_eof()
        return response

    async def _cancel(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        batch = await self._found(asked)
        if isinstance(batch, web.Response):
            return batch
        canceled = await self._parts.desk.cancel(batch.id)
        if canceled is None or not canceled.cancel or not batch.is_open:
            return refusal(409, "over", f"the batch is {batch.state if canceled is None else canceled.state}")
        return await self._told(canceled)

    async def _found(self, asked: Asked[Any, Any]) -> Batch | web.Response:
        name, bot = asked.params["batch"], asked.params["bot_id"]
        batch = await self._store.batch(name)
        if batch is None or batch.bot != bot:
            return refusal(404, "not_found", f"there is no batch {name[:80]!r} of bot {bot[:80]!r}")
        return batch

    async def _told(self, batch: Batch, status: int = 200) -> web.StreamResponse:
        [shown] = await shown_batches(self._parts, [batch])
        return answer(shown.model_dump(), status)


async def shown_batches(parts: WebParts, batches: Sequence[Batch]) -> list[BatchShown]:
    """Batches with their figures, as callers see them."""
    figures = await parts.store.batches.figures([batch.id for batch in batches])
    return [batch_shown(batch, figures[batch.id], parts.prices()) for batch in batches]


def _result(end: LineEnd) -> ResultShown:
    return result_shown(end, json.loads(end.reply)["reply"] if end.reply else None)


def _path(found: LineFault) -> str:
    if not found.line:
        return "lines"
    return f"lines[{found.line - 1}]{'.' if found.field else ''}{found.field}"
