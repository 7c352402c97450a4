"""Bots: listed, shown, made, changed, switched on and off, removed. All changes are changes of bots.yaml.

Rules: what a call has written is in force when it is answered; a bot's id is made of its name where none is given, and
never one that ever spent money, for what is spent is counted by id; secrets go in and come out as ***. On a fleet
only caps are changed, for all daemons: `runner.ports.definitions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from runner.bots import Bot
from runner.ports.definitions import Conflict, Deployed, Faulty, Outcome, Unapplied, Written
from runner.web.answers import answer, refusal
from runner.web.api.models import BotList, Switched
from runner.web.api.naming import MOST_TRIED, RESERVED, candidates
from runner.web.api.showing import Showing, status_of
from runner.web.calls import Answer, AnyCall, Anything, Asked, Call, Nothing, invalid
from runner.web.faults import fault
from runner.web.parts import WebParts

_BOT = {"$ref": "#/components/schemas/Bot"}
_NONE = "There is no such bot."
_CONFLICT = (
    "bots.yaml was not changed (it is read-only, faulty, changed underneath, or deployed to all daemons: code fleet),"
    " or could not be put in force."
)
_Plain = Asked[Nothing, Nothing]


class Bots:
    """The handlers."""

    def __init__(self, parts: WebParts, showing: Showing) -> None:
        self._parts = parts
        self._showing = showing

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        one, shown = "/api/bots/{bot_id}", {200: Answer("The bot with all its fields.", schema=_BOT)}
        made = Answer("The new bot.", schema=_BOT, headers={"Location": "Where it is."})
        new, change = ({"$ref": f"#/components/schemas/{name}"} for name in ("NewBot", "BotChange"))
        gone, conflict = {404: _NONE}, {404: _NONE, 409: _CONFLICT}
        switched = {200: Answer("How it stands now.", Switched)}
        listed = {200: Answer("All bots.", BotList)}
        return [
            Call("GET", "/api/bots", "All bots.", "read", self._list, Nothing, Nothing, listed),
            Call(
                "POST",
                "/api/bots",
                "Make a bot.",
                "admin",
                self._create,
                Nothing,
                Anything,
                {201: made},
                {409: _CONFLICT},
                new,
            ),
            Call("GET", one, "One bot.", "read", self._show, Nothing, Nothing, shown, gone),
            Call(
                "PATCH",
                one,
                "Change a bot: a JSON merge patch, null takes a field away.",
                "admin",
                self._change,
                Nothing,
                Anything,
                shown,
                conflict,
                change,
            ),
            Call(
                "DELETE",
                one,
                "Remove a bot from bots.yaml; what it spent stays in the ledger.",
                "admin",
                self._remove,
                Nothing,
                Nothing,
                {204: Answer("It is gone.")},
                conflict,
            ),
            Call(
                "POST",
                f"{one}/activate",
                "Switch a bot on.",
                "admin",
                self._activate,
                Nothing,
                Nothing,
                switched,
                conflict,
            ),
            Call(
                "POST",
                f"{one}/deactivate",
                "Switch a bot off.",
                "admin",
                self._deactivate,
                Nothing,
                Nothing,
                switched,
                conflict,
            ),
        ]

    async def _list(self, _: _Plain) -> web.StreamResponse:
        return answer({"bots": await self._showing.lines(self._parts.defined())})

    async def _show(self, asked: _Plain) -> web.StreamResponse:
        bot = self._bot(asked.params["bot_id"])
        return _no_bot(asked.params["bot_id"]) if bot is None else answer(await self._whole(bot))

    async def _create(self, asked: Asked[Nothing, Anything]) -> web.StreamResponse:
        fields = dict(asked.raw)
        wanted = {key: fields.pop(key) for key in ("id", "slug") if fields.get(key) is not None}
        fields.pop("id", None), fields.pop("slug", None)
        faults = [
            fault(
                key,
                "must be text of a-z, 0-9, _ and -, the same in id and slug, and no word of the API's own",
            )
            for key, value in wanted.items()
            if not isinstance(value, str) or value in RESERVED or len(set(map(str, wanted.values()))) > 1
        ]
        if faults:
            return invalid(faults)
        return await self.make(next(iter(wanted.values()), None), fields)

    async def make(self, wanted: str | None, fields: Mapping[str, Any]) -> web.StreamResponse:
        """Write a new bot; its answer. `wanted`: its id; None: one is made of its name."""
        bot_id = wanted or await self._free_id(str(fields.get("name") or ""))
        outcome = await self._parts.definitions.create(bot_id, fields)
        if not isinstance(outcome, Written):
            return _not_written(outcome)
        shown = await self._named(bot_id, outcome)
        response = answer(shown, 201)
        response.headers["Location"] = f"/api/bots/{bot_id}"
        return response

    async def _change(self, asked: Asked[Nothing, Anything]) -> web.StreamResponse:
        bot_id = asked.params["bot_id"]
        if not await self._known(bot_id):
            return _no_bot(bot_id)
        fixed = [
            fault(key, "cannot be changed: make a new bot and remove this one")
            for key in ("id", "slug")
            if asked.raw.get(key, bot_id) != bot_id
        ]
        if fixed:
            return invalid(fixed)
        patch = {key: value for key, value in asked.raw.items() if key not in {"id", "slug"}}
        outcome = await self._parts.definitions.change(bot_id, patch)
        return (
            answer(await self._named(bot_id, outcome))
            if isinstance(outcome, Written)
            else _not_written(outcome)
        )

    async def _remove(self, asked: _Plain) -> web.StreamResponse:
        bot_id = asked.params["bot_id"]
        if not await self._known(bot_id):
            return _no_bot(bot_id)
        outcome = await self._parts.definitions.remove(bot_id)
        if isinstance(outcome, Faulty):  # the file is nothing without it
            why = "; ".join(f"{one.field}: {one.message}" for one in outcome.faults)
            return _not_written(Conflict(f"without it bots.yaml would be faulty: {why}"))
        if not isinstance(outcome, Written):
            return _not_written(outcome)
        gone = answer(None, 204)
        gone.body = None
        return gone

    async def _activate(self, asked: _Plain) -> web.StreamResponse:
        return await self._switch(asked, on=True)

    async def _deactivate(self, asked: _Plain) -> web.StreamResponse:
        return await self._switch(asked, on=False)

    async def _switch(self, asked: _Plain, *, on: bool) -> web.StreamResponse:
        bot_id = asked.params["bot_id"]
        if not await self._known(bot_id):
            return _no_bot(bot_id)
        outcome = await self._parts.definitions.change(bot_id, {"enabled": on})
        if not isinstance(outcome, Written):
            return _not_written(outcome)
        bot = self._bot(bot_id)
        connection = None if bot is None else self._showing.worst(bot)
        url = None if bot is None or not on else self._webhook_url(asked.request, bot)
        return answer({"status": status_of(connection), **({} if url is None else {"webhook_url": url})})

    def _webhook_url(self, request: web.Request, bot: Bot) -> str | None:
        """Where the first of its channels that takes posts is posted to."""
        base = (self._parts.public_url or f"{request.scheme}://{request.host}").rstrip("/")
        for channel in bot.channels:
            if hasattr(self._parts.roster.adapter(bot.id, channel.name), "handle"):
                first = next(one.name for one in bot.channels if one.platform == channel.platform)
                more = "" if channel.name == first else f"/{channel.name}"
                return f"{base}/api/bots/webhook/{channel.platform}/{bot.id}{more}"
        return None

    def _bot(self, bot_id: str) -> Bot | None:
        return next((bot for bot in self._parts.defined() if bot.id == bot_id), None)

    async def _known(self, bot_id: str) -> bool:
        return self._bot(bot_id) is not None or bot_id in await self._parts.definitions.bot_ids()

    async def _whole(self, bot: Bot) -> dict[str, Any]:
        """All of the bot: what is in force, above all that its definition says."""
        fields: Mapping[str, Any] = await self._parts.definitions.fields(bot.id) or {}
        return {**fields, **await self._showing.line(bot)}

    async def _named(self, bot_id: str, outcome: Written) -> dict[str, Any]:
        """A bot that was just written."""
        bot = self._bot(bot_id)
        shown = {"id": bot_id} if bot is None else await self._whole(bot)
        return {**shown, **({"warnings": list(outcome.warnings)} if outcome.warnings else {})}

    async def _free_id(self, name: str) -> str:
        """The first id made of this name that is not taken and never was."""
        tried = list(candidates(name))
        taken = {*(bot.id for bot in self._parts.defined()), *await self._parts.definitions.bot_ids()}
        spent = await self._parts.store.counters([f"bot:{one}" for one in tried[:MOST_TRIED]])
        used = {
            scope.removeprefix("bot:")
            for scope, counter in spent.items()
            if counter.settled or counter.unknown
        }
        return next((one for one in tried if one not in taken | used), tried[0])


def _no_bot(bot_id: str) -> web.Response:
    return refusal(404, "not_found", f"there is no bot {bot_id!r}")


def _not_written(outcome: Outcome) -> web.Response:
    match outcome:
        case Faulty(faults):
            return invalid([fault(one.field, one.message) for one in faults])
        case Unapplied(why):
            return refusal(409, "not_applied", f"bots.yaml is changed, but not in force: {'; '.join(why)}")
        case Conflict(why):
            return refusal(409, "not_written", why)
        case Deployed(why):
            return refusal(409, "fleet", why)
        case Written():
            raise AssertionError("it was written")
