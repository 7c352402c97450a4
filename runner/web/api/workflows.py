"""Workflows: what runs of them did, and the passes by which their users are let in.

Rules: a run is told as it was when its last turn ended; a pass is told once, to whoever has it issued, and kept as a
hash; code that does nodes is loaded when the first pass is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AfterValidator, Field, model_validator

from runner.agent.wellformed import well_formed
from runner.clock import UnixMs, iso
from runner.ports.runs import RunRecord
from runner.web.answers import answer, refusal
from runner.web.api.models import MAX_ID
from runner.web.calls import Answer, AnyCall, Asked, Call, Fields, Nothing, Shown
from runner.web.parts import WebParts

GROUP = "Workflows"
MOST_SHOWN = 200
LONGEST_PASS_MINUTES = 60 * 24 * 30


class Which(Fields):
    """How many runs."""

    limit: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = 50


class NodeShown(Shown):
    """A node that was done: `inputs` and `output` are JSON text, cut where they are long (then they end in `…`)."""

    node: str
    type: str
    step: str
    inputs: str
    output: str
    handle: str
    tokens_input: int
    tokens_output: int
    cost_usd: str
    ms: int
    failure: str | None


class RunShown(Shown):
    """A run. `waiting_for`: a reviewer, the user, or a time; empty: nothing."""

    id: str
    bot: str
    channel: str
    user: str
    conversation: str
    status: Literal["waiting", "finished", "failed"]
    waiting_for: str
    started_at: str
    at: str


class RunList(Shown):
    """The run that was last written first."""

    runs: list[RunShown]


class RunWithTrace(RunShown):
    """A run and the nodes that were done in it, in order."""

    trace: list[NodeShown]


class PassWanted(Fields):
    """A pass. `code`: six digits for one `user` of the bot; `link`: a token for whoever shows it.

    `identity`: whom the workflow takes them for; of a code, it is the user's id unless it is given.
    """

    kind: Literal["code", "link"]
    user: Annotated[str, Field(max_length=MAX_ID), AfterValidator(well_formed)] = ""
    identity: Annotated[str, Field(max_length=MAX_ID), AfterValidator(well_formed)] = ""
    minutes: Annotated[int, Field(ge=1, le=LONGEST_PASS_MINUTES)] = 60

    @model_validator(mode="after")
    def _whose(self) -> PassWanted:
        if self.kind == "code" and not self.user:
            raise ValueError("a code needs a user")
        if self.kind == "link" and not self.identity:
            raise ValueError("a link needs an identity")
        return self


class PassIssued(Shown):
    """What the user has to show, told this once."""

    text: str
    until: str


class Workflows:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._runs = parts.store.runs

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        nobody = {404: "There is no such bot."}
        return [
            Call("GET", "/api/bots/{bot_id}/runs", "The latest runs of a bot's workflow.", "read", self._list,
                 Which, Nothing, {200: Answer("Runs.", RunList)}, nobody, group=GROUP),
            Call("GET", "/api/runs/{run_id}", "One run, with what its nodes did.", "read", self._one,
                 Nothing, Nothing, {200: Answer("The run.", RunWithTrace)}, {404: "There is no such run (any more)."},
                 group=GROUP),
            Call("POST", "/api/bots/{bot_id}/passes", "Issue what an auth_gate lets a user through on.", "admin",
                 self._issue, Nothing, PassWanted, {201: Answer("The pass; it is not told again.", PassIssued)}, nobody,
                 group=GROUP),
        ]  # fmt: skip

    async def _list(self, asked: Asked[Which, Nothing]) -> web.StreamResponse:
        bot = asked.params["bot_id"]
        if not self._is_there(bot):
            return _no_bot(bot)
        found = await self._runs.runs(bot, asked.query.limit)
        return answer({"runs": [RunShown(**_shown(record)).model_dump() for record in found]})

    async def _one(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        record = await self._runs.run(asked.params["run_id"])
        if record is None:
            return refusal(404, "not_found", f"there is no run {asked.params['run_id'][:80]!r} (any more)")
        return answer(RunWithTrace(**_shown(record), trace=list(_nodes(record.trace))).model_dump())

    async def _issue(self, asked: Asked[Nothing, PassWanted]) -> web.StreamResponse:
        from runner.workflows.doers.passes import Passes  # noqa: PLC0415 - see the module's text

        bot, wanted = asked.params["bot_id"], asked.body
        if not self._is_there(bot):
            return _no_bot(bot)
        passes = Passes(self._runs, self._parts.clock)
        if wanted.kind == "code":
            issued = await passes.issue_code(bot, wanted.user, wanted.identity, wanted.minutes)
        else:
            issued = await passes.issue_token(bot, wanted.identity, wanted.minutes)
        told = PassIssued(text=issued.text, until=iso(UnixMs(issued.until_ms)))
        return answer(told.model_dump(), 201)

    def _is_there(self, bot: str) -> bool:
        return any(one.id == bot for one in self._parts.defined())


def _no_bot(bot: str) -> web.Response:
    return refusal(404, "not_found", f"there is no bot {bot[:80]!r}")


def _shown(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "bot": record.bot,
        "channel": record.channel,
        "user": record.user,
        "conversation": record.conversation,
        "status": record.status.value,
        "waiting_for": record.waiting_for,
        "started_at": iso(record.started_ms),
        "at": iso(record.at_ms),
    }


def _nodes(trace: str) -> Iterable[NodeShown]:
    """The lines of a trace, those of an older release as far as they go."""
    for line in json.loads(trace):
        if isinstance(line, Mapping):
            failure = line.get("failure")
            yield NodeShown(
                node=str(line.get("node", "")),
                type=str(line.get("type", "")),
                step=str(line.get("step", "")),
                inputs=str(line.get("inputs", "")),
                output=str(line.get("output", "")),
                handle=str(line.get("handle", "")),
                tokens_input=int(line.get("tokens_input", 0)),
                tokens_output=int(line.get("tokens_output", 0)),
                cost_usd=str(line.get("cost_usd", "0.00")),
                ms=int(line.get("ms", 0)),
                failure=None if failure is None else str(failure),
            )
