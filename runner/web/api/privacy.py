"""A person's data goes: one conversation, or all that a user said and was told.

Rules: the ledger keeps what it cost, without a word of what was said; a turn that is running, or whose answer is on
its way, is not torn out: `left` says so, and the call is made again a moment later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from runner.agent.wellformed import well_formed
from runner.web.answers import answer, refusal
from runner.web.api.models import MAX_ID
from runner.web.calls import Answer, AnyCall, Asked, Call, Fields, Nothing, Shown
from runner.web.parts import WebParts

GROUP = "Privacy"


def _without_nul(text: str) -> str:
    if text != well_formed(text):
        raise ValueError("must be Unicode text without NUL")
    return text


class Person(Fields):
    """Who is to be forgotten: the user's id as conversations show it. `bot`: there only; null: with every bot."""

    user: Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_without_nul)]
    bot: Annotated[str, Field(max_length=63), AfterValidator(_without_nul)] | None = None


class Forgotten(Shown):
    """How many rows went. `left`: something is still in use (a turn runs, an answer is on its way): ask again."""

    removed: int
    left: bool


class Privacy:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._store = parts.store

    def calls(self) -> Sequence[AnyCall]:
        """Both of them."""
        gone = {200: Answer("It is gone, or what is left of it is in use.", Forgotten)}
        return [
            Call("DELETE", "/api/conversations/{conversation_id}", "Forget one conversation.", "admin",
                 self._forget_conversation, Nothing, Nothing, gone,
                 {404: "There is no such conversation (any more)."}, group=GROUP),
            Call("POST", "/api/users/forget", "Forget all that a user said and was told.", "admin",
                 self._forget_user, Nothing, Person, gone, group=GROUP),
        ]  # fmt: skip

    async def _forget_conversation(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        name = asked.params["conversation_id"]
        if await self._store.transcript(name, latest=1) is None:
            return refusal(404, "not_found", f"there is no conversation {name[:80]!r} (any more)")
        removed = await self._store.forget_conversation(name)
        left = await self._store.transcript(name, latest=1) is not None
        return answer(Forgotten(removed=removed, left=left).model_dump())

    async def _forget_user(self, asked: Asked[Nothing, Person]) -> web.StreamResponse:
        who = asked.body
        removed = await self._store.forget_user(who.bot, who.user)
        left = bool(await self._store.conversations(who.bot, 1, None, who.user))
        return answer(Forgotten(removed=removed, left=left).model_dump())
