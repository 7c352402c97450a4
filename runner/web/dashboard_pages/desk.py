"""What all page handlers share: who asks, how a page is answered, the daemon's bots as pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from aiohttp import web

from runner.bots import Bot
from runner.clock import utc_day
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.ports.definitions import Conflict, Deployed, Faulty, Outcome, Unapplied
from runner.web.answers import moved, refusal
from runner.web.dashboard.figures import Cap
from runner.web.dashboard.filling import cap_of
from runner.web.dashboard.reads import DashboardHandoffs
from runner.web.dashboard.views import Connection, LastError, Notice, PageView
from runner.web.entry import Doorkeeper
from runner.web.fleet import FleetNow, joined
from runner.web.pages import Pages
from runner.web.parts import WebParts
from runner.web.sessions import Session

DONE: Mapping[str, str] = {
    "cap": "The cap is saved and holds from the next call on.",
    "uncapped": "The cap is removed.",
    "settings": "The settings are saved and in force.",
    "unchanged": "Nothing was changed.",
    "top-up": "The top-up is booked.",
    "top-up-again": "That top-up was booked before; it counts once.",
    "reconciled": "The call's cost is put right.",
    "cleared": "The model is called again.",
    "approved": "It is approved: the conversation goes on.",
    "rejected": "It is rejected: the conversation goes on.",
}
"""What a page says after something was done; its address brings the name."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in.

    Attributes:
        form: what a form of ours sent; a form is here only where its user meant it and may do it.
        seen: the number of changes before anything was looked up.
    """

    request: web.Request
    session: Session
    seen: int
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> tuple[Notice, ...]:
        """What was done just before, if the page is asked for because of that."""
        text = DONE.get(self.request.query.get("done", ""))
        return () if text is None else (Notice("done", text),)


class Desk:
    """What handlers work with."""

    def __init__(self, parts: WebParts, door: Doorkeeper, pages: Pages, handoffs: DashboardHandoffs) -> None:
        self.parts = parts
        self.door = door
        self.handoffs = handoffs
        self._pages = pages

    @property
    def today(self) -> str:
        """The UTC day."""
        return utc_day(self.parts.clock.now_ms())

    async def show(
        self,
        visit: Visit,
        view: PageView,
        *notices: Notice,
        status: int = 200,
        standing: Sequence[Notice] = (),
    ) -> web.Response:
        """The page of a view. `standing`: notices of this page, beside those of all pages."""
        state = self.parts.reloads.state
        fault = None if state.fault is None else "\n".join(state.fault)
        frame = self._pages.frame(visit.session, *notices, *visit.done, config_fault=fault)
        if state.needs_restart:
            waits = f"A restart brings what bots.yaml says of {', '.join(state.needs_restart)}."
            standing = (Notice("warning", waits), *standing)
        frame = replace(
            frame,
            standing=tuple(standing),
            handoffs_waiting=await self.handoffs.count(),
            seen=visit.seen,
        )
        return await self._pages.page(frame, view, status)

    def bot(self, bot_id: str) -> Bot | None:
        """A bot in force, switched on or not."""
        return next((bot for bot in self.parts.defined() if bot.id == bot_id), None)

    def bot_name(self, bot_id: str) -> str:
        """What people call it; its id where it is gone."""
        bot = self.bot(bot_id)
        return bot_id if bot is None else bot.name

    def cap(self, bot: Bot, counters: Mapping[str, Counter]) -> Cap:
        """The bot's own cap, and what stands against it."""
        roster = self.parts.roster
        limit: Money | None = bot.cap if roster.bot(bot.id) is None else roster.cap(bot.id)
        return cap_of(counters.get(f"bot:{bot.id}", Counter()), limit)

    def connections(self, bot_id: str, fleet: FleetNow | None) -> tuple[Connection, ...]:
        """How its channels are connected; with a fleet as all daemons together have them."""
        return tuple(
            Connection(one.channel, one.state, one.why or (holder and f"on {holder}"), one.since_ms or None)
            for one, holder in joined(self.parts.roster.connections(bot_id), fleet)
        )

    def last_error(self, bot_id: str) -> LastError | None:
        """Its latest fault since the start."""
        error = self.parts.last_errors.of(bot_id)
        return None if error is None else LastError(error.text, error.at_ms)


def no_bot(bot_id: str) -> web.Response:
    """There is none."""
    return refusal(
        404, "not_found", f"There is no bot {bot_id[:80]!r}; it may have been removed from bots.yaml."
    )


def after(path: str, done: str, **query: str) -> web.Response:
    """It is done: look at that page, which says so."""
    return moved(f"{path}?{urlencode({'done': done, **query})}")


def address(*parts: str) -> str:
    """A path of these parts, whatever they are."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def not_written(outcome: Outcome, field_name: str) -> tuple[str, Notice | None]:
    """Why bots.yaml was not changed: what is wrong with that field, and a notice where it is something else."""
    match outcome:
        case Faulty(faults):
            mine = [one.message for one in faults if one.field == field_name]
            others = [f"{one.field}: {one.message}" for one in faults if one.field != field_name]
            notice = Notice("error", f"Nothing was changed. {'; '.join(others)}") if others else None
            return "; ".join(mine), notice
        case Conflict(why) | Deployed(why):
            return "", Notice("error", f"Nothing was changed: {why}")
        case Unapplied(why):
            return "", Notice("error", f"bots.yaml is changed, but not in force: {'; '.join(why)}")
        case _:
            raise AssertionError("it was written")
