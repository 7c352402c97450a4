"""bots.yaml is read again because somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from aiohttp import web

from runner.ports.reloads import Unusable
from runner.web.answers import answer, refusal
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing, Shown
from runner.web.parts import WebParts


class ReloadShown(Shown):
    """What is in force now; names only. `reconnected`: bots of which a connection is made anew."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    reconnected: list[str]
    sections: list[str]
    needs_restart: list[str]
    warnings: list[str]


class Reloading:
    """The handler."""

    def __init__(self, parts: WebParts) -> None:
        self._reloads = parts.reloads

    def calls(self) -> Sequence[AnyCall]:
        """The one."""
        return [
            Call(
                "POST",
                "/api/reload",
                "Read bots.yaml again and put it in force.",
                "admin",
                self._reload,
                Nothing,
                Nothing,
                {200: Answer("It is in force.", ReloadShown)},
                {409: "The file cannot be used; nothing changed. The message tells each problem on a line."},
                group="Daemon",
            )
        ]

    async def _reload(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        outcome = await self._reloads.reload("the admin API")
        if isinstance(outcome, Unusable):
            problems = "\n".join(outcome.problems)
            return refusal(409, "unusable", f"bots.yaml cannot be used; nothing changed:\n{problems}")
        return answer({name: list(names) for name, names in asdict(outcome).items()})
