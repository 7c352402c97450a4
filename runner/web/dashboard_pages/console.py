"""`/console`: a talk with a bot, each answer with its figures. The real pipeline, really charged.

Rules: what is shown is the conversation as it is stored, so that a page opened later shows the same; answers that
are not stored with their words (a command's, a limit's) are remembered here, so many of each bot, until the daemon
ends; what was not taken stays in the form.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapters.contract import Delivery, DeliveryState
from runner.bots import Bot
from runner.dispatch.console import CONSOLE
from runner.ports.dialogue import StopReason
from runner.ports.reports import Transcript, TranscriptTurn
from runner.web.answers import moved
from runner.web.api.models import MAX_MESSAGE
from runner.web.api.talking import ANSWER_MARGIN_S, TESTS_PER_MINUTE
from runner.web.dashboard.filling import report_of, said_of
from runner.web.dashboard.views import Choice, ConsolePage, Notice, Said
from runner.web.dashboard_pages.desk import Desk, Visit, no_bot

USER = "dashboard"
"""Who talks here, as the bot sees it."""
TURNS_SHOWN = 50
LOOKED_THROUGH = 5
"""Conversations of the user that may be of other channels."""
MOST_BOTS = 100
MOST_OF_ONE = 20


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A question and its answer, as they were."""

    turn: str
    at_ms: int
    said: tuple[Said, ...]


class Remembered:
    """Exchanges whose words no store keeps."""

    def __init__(self) -> None:
        self._bots: OrderedDict[str, deque[_Exchange]] = OrderedDict()

    def add(self, bot: str, exchange: _Exchange) -> None:
        """One more; where there are too many, the oldest goes."""
        self._bots.setdefault(bot, deque(maxlen=MOST_OF_ONE)).append(exchange)
        self._bots.move_to_end(bot)
        while len(self._bots) > MOST_BOTS:
            self._bots.popitem(last=False)

    def of(self, bot: str) -> tuple[_Exchange, ...]:
        """The oldest first."""
        return tuple(self._bots.get(bot, ()))


class ConsolePages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._remembered = Remembered()

    async def show(self, visit: Visit) -> web.Response:
        """The talk with the bot that is asked for, or with the first one."""
        bots = self._switched_on()
        wanted = visit.request.query.get("bot")
        if wanted is not None and wanted not in bots:
            return no_bot(wanted) if self._desk.bot(wanted) is None else await self._off(visit)
        bot_id = wanted or next(iter(bots), None)
        return await self._desk.show(visit, await self._page(bot_id))

    async def say(self, visit: Visit) -> web.Response:
        """Say something, and wait for the answer."""
        desk, bot_id = self._desk, visit.request.query.get("bot", "")
        bot = desk.parts.roster.bot(bot_id)
        text = visit.form.get("message", "").replace("\r\n", "\n")
        if bot is None:
            return no_bot(bot_id)
        if not text.strip() or len(text) > MAX_MESSAGE:
            return await self._not_taken(visit, bot_id, text, 400, f"Say 1 to {MAX_MESSAGE:,} characters.")
        limited = await desk.door.limited_by_all(f"test session {visit.session.id}", TESTS_PER_MINUTE)
        if limited is not None:
            told = f"{TESTS_PER_MINUTE} messages a minute are enough here: wait a moment."
            page = await self._not_taken(visit, bot_id, text, 429, told)
            page.headers["Retry-After"] = limited.headers["Retry-After"]
            return page
        return await self._said(visit, bot, text)

    async def _said(self, visit: Visit, bot: Bot, text: str) -> web.Response:
        parts = self._desk.parts
        asked_ms = parts.clock.now_ms()
        try:
            told = await parts.console.ask(
                parts.deliver, bot.id, USER, text, bot.limits.timeout_s + ANSWER_MARGIN_S
            )
        except TimeoutError:
            why = "The answer is not ready yet. It will stand here; do not send the message again."
            return await self._desk.show(visit, await self._page(bot.id), Notice("warning", why), status=504)
        if isinstance(told, Delivery):
            return await self._not_taken(visit, bot.id, text, 503, _WHY.get(told.state, "Not now."))
        stop = str(told.report.get("stop_reason", ""))
        answer = Said("bot", told.text, parts.clock.now_ms(), stop_reason="" if stop in _PLAIN else stop)
        exchange = _Exchange(
            str(told.report.get("turn_id", "")), asked_ms, (Said("user", text, asked_ms), answer)
        )
        self._remembered.add(bot.id, exchange)
        return moved(visit.request.path_qs)

    async def _off(self, visit: Visit) -> web.Response:
        """The bot is switched off: others may be talked to."""
        notice = Notice("warning", "That bot is switched off.")
        return await self._desk.show(visit, await self._page(next(iter(self._switched_on()), None)), notice)

    async def _not_taken(self, visit: Visit, bot_id: str, text: str, status: int, why: str) -> web.Response:
        page = await self._page(bot_id, text)
        return await self._desk.show(visit, page, Notice("error", why), status=status)

    def _switched_on(self) -> Mapping[str, Bot]:
        return {bot.id: bot for bot in self._desk.parts.defined() if bot.enabled}

    async def _page(self, bot_id: str | None, draft: str = "") -> ConsolePage:
        choices = tuple(Choice(bot.id, bot.name) for bot in self._switched_on().values())
        if bot_id is None:
            return ConsolePage(choices)
        return ConsolePage(choices, bot_id, await self._talk(bot_id), draft)

    async def _talk(self, bot_id: str) -> tuple[Said, ...]:
        """What was said in the latest conversation, remembered words in the places of those that are not stored."""
        store = self._desk.parts.store
        lines = await store.conversations(bot_id, LOOKED_THROUGH, user=USER)
        line = next((one for one in lines if one.channel == CONSOLE), None)
        found = None if line is None else await store.transcript(line.id, TURNS_SHOWN)
        remembered = self._remembered.of(bot_id)
        if found is None:
            return tuple(one for exchange in remembered for one in exchange.said)
        return _merged(found, remembered)


def _merged(found: Transcript, remembered: tuple[_Exchange, ...]) -> tuple[Said, ...]:
    """The transcript with what is remembered besides; of an older conversation nothing."""
    known = {exchange.turn: exchange for exchange in remembered if exchange.turn}
    placed = [(turn.at_ms, _turn(turn, known)) for turn in found.turns]
    stored = {_id(report_of(turn.report)) for turn in found.turns}
    begun = min((at for at, _ in placed), default=0)
    placed += [
        (exchange.at_ms, exchange.said)
        for exchange in remembered
        if exchange.turn not in stored and exchange.at_ms >= begun
    ]
    return tuple(one for _, said in sorted(placed, key=lambda pair: pair[0]) for one in said)


def _turn(turn: TranscriptTurn, known: Mapping[str, _Exchange]) -> tuple[Said, ...]:
    exchange = known.get(_id(report_of(turn.report)))
    return exchange.said if exchange is not None and not turn.messages else said_of(turn)


def _id(report: Mapping[str, Any]) -> str:
    return str(report.get("turn_id", ""))


_PLAIN = frozenset({"", StopReason.ANSWERED, StopReason.COMMAND, StopReason.BUDGET})
"""Ends that need no word: the answer itself says it."""
_WHY = {
    DeliveryState.LIMITED: "The bot takes so many messages a minute and no more: wait a moment.",
    DeliveryState.IGNORED: f"The bot's access rules do not let the user {USER!r} in, who talks here.",
}
