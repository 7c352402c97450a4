"""`/bots/{id}/settings`: what bots.yaml says of a bot, as a form.

Rules: only fields that were changed are written, so that the file keeps what it says by itself; an emptied field is
taken away from the bot; who looked at another version of the bot than is there now writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from runner.agent.routing import models_of
from runner.bots import Bot
from runner.ports.definitions import Faulty, Outcome, Written
from runner.web.dashboard.views import Notice, SettingsPage
from runner.web.dashboard_pages.desk import Desk, Visit, address, after, no_bot, not_written

TEXTS = (
    "name",
    "description",
    "llm_provider",
    "llm_model",
    "system_prompt",
    "welcome_message",
    "fallback_message",
    "spending_cap_message",
)
NUMBERS = (
    "spending_cap_cents",
    "max_cost_cents_per_message",
    "max_loop_iterations",
    "max_tool_calls",
    "max_tokens_per_turn",
    "timeout_ms",
    "conversation_max_messages",
    "conversation_ttl_hours",
    "rate_limit_per_minute",
)
_LONGEST_NUMBER = 15
_CAPS = "The spending cap can be set on the bot's own page."


@dataclass(frozen=True, slots=True)
class _Shown:
    """The form's values, and the mark of what they were taken from."""

    values: Mapping[str, str]
    revision: str


class SettingsPages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        """The values in the file."""
        bot_id = visit.request.match_info["bot_id"]
        bot, shown = self._desk.bot(bot_id), await self._shown(bot_id)
        if bot is None or shown is None:
            return no_bot(bot_id)
        return await self._desk.show(visit, self._page(bot, shown.values, shown.revision))

    async def save(self, visit: Visit) -> web.Response:
        """Write what was changed."""
        bot_id, form = visit.request.match_info["bot_id"], visit.form
        bot, shown = self._desk.bot(bot_id), await self._shown(bot_id)
        if bot is None or shown is None:
            return no_bot(bot_id)
        typed = _typed(form)
        revision = form.get("revision", "")
        if revision != shown.revision:
            notice = Notice(
                "error",
                "The bot was changed meanwhile, and nothing was saved. What you typed is still here: "
                "load the page again to see what the bot is now.",
            )
            return await self._desk.show(visit, self._page(bot, typed, revision), notice, status=409)
        patch = {name: _value(name, text) for name, text in typed.items() if text != shown.values[name]}
        if not patch:
            return after(address("bots", bot_id, "settings"), "unchanged")
        outcome = await self._desk.parts.definitions.change(bot_id, patch)
        if isinstance(outcome, Written):
            return after(address("bots", bot_id, "settings"), "settings")
        return await self._refused(visit, bot, typed, revision, outcome)

    async def _refused(
        self, visit: Visit, bot: Bot, typed: Mapping[str, str], revision: str, outcome: Outcome
    ) -> web.Response:
        """The form as it was sent, with what is wrong."""
        if not isinstance(outcome, Faulty):
            _, notice = not_written(outcome, "")
            page = self._page(bot, typed, revision)
            return await self._desk.show(visit, page, *([notice] if notice else []), status=409)
        mine = {one.field: one.message for one in outcome.faults if one.field in typed}
        others = [f"{one.field}: {one.message}" for one in outcome.faults if one.field not in typed]
        told = "Nothing was saved. " + ("; ".join(others) if others else "See the fields below.")
        page = self._page(bot, typed, revision, mine)
        return await self._desk.show(visit, page, Notice("error", told), status=400)

    def _page(
        self, bot: Bot, values: Mapping[str, str], revision: str, faults: Mapping[str, str] | None = None
    ) -> SettingsPage:
        bots = self._desk.parts.defined()
        providers = sorted({one.provider for each in bots for one in models_of(each)})
        deployed = self._desk.parts.definitions.deployed
        read_only = "" if deployed is None else f"{deployed.why}. {_CAPS}"
        return SettingsPage(bot.id, bot.name, values, tuple(providers), faults or {}, revision, read_only)

    async def _shown(self, bot_id: str) -> _Shown | None:
        """What the file says now; None: it has no such bot."""
        fields = await self._desk.parts.definitions.fields(bot_id)
        if fields is None:
            return None
        values = {name: _text(fields.get(name)) for name in (*TEXTS, *NUMBERS)}
        values["enabled"] = "false" if fields.get("enabled") is False else "true"
        mark = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode(errors="replace"))
        return _Shown(values, mark.hexdigest()[:16])


def _typed(form: Mapping[str, str]) -> dict[str, str]:
    """What was sent, as the values are shown; browsers end lines as MIME does."""
    typed = {name: form.get(name, "").replace("\r\n", "\n") for name in (*TEXTS, *NUMBERS)}
    return {**typed, "enabled": "true" if form.get("enabled") == "true" else "false"}


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value).replace("\r\n", "\n")


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    """As bots.yaml takes it; a number that is none stays the text it is, for its fault to be told."""
    if name == "enabled":
        return text == "true"
    if not text.strip():
        return None
    if name in NUMBERS:
        plain = text.strip()
        if plain.isascii() and plain.isdecimal() and len(plain) <= _LONGEST_NUMBER:
            return int(plain)
        return _fraction(plain) if name == "conversation_ttl_hours" else text
    return text


def _fraction(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
