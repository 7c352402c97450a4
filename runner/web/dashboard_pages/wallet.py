"""`/wallet`: top-ups, calls whose cost nobody knows, models that are set aside."""

from __future__ import annotations

import secrets
from dataclasses import replace

from aiohttp import web

from runner.agent.wellformed import well_formed
from runner.dispatch.treasury import KeyReused, NotCorrected
from runner.money.amounts import ZERO, BadAmount, Money, from_usd
from runner.money.ledger import LedgerEntry
from runner.web.answers import refusal
from runner.web.dashboard.wallet_view import SetAside, UnknownCall, WalletEvent, WalletPage
from runner.web.dashboard.wording import usd
from runner.web.dashboard_pages.desk import Desk, Visit, after

PATH = "/wallet"
UNKNOWN_SHOWN = 20
HISTORY_SHOWN = 100
MAX_KEY = 200
MAX_WORDS = 500


class WalletPages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._treasury = desk.parts.treasury

    async def show(self, visit: Visit) -> web.Response:
        """The wallet."""
        return await self._desk.show(visit, await self._page(secrets.token_hex(12)))

    async def top_up(self, visit: Visit) -> web.Response:
        """Pay in; a form that is sent twice pays in once."""
        form = visit.form
        key, given = form.get("key", ""), form.get("amount", "")
        note = well_formed(form.get("note", ""))[:MAX_WORDS]
        if not key.strip() or len(key) > MAX_KEY or key != well_formed(key):
            return refusal(400, "invalid", "The form came without its key: load the page again.")
        amount = amount_of(given)
        fault = amount if isinstance(amount, str) else "" if amount > 0 else "It must be more than 0."
        if not isinstance(amount, str) and not fault:
            done = await self._treasury.top_up(key, amount, note)
            if not isinstance(done, KeyReused):
                self._desk.parts.changes.mark()
                return after(PATH, "top-up" if done.fresh else "top-up-again")
            fault = f"This form was sent before, with {usd(done.earlier.amount)}, which is booked."
            key = secrets.token_hex(12)
        page = replace(await self._page(key), top_up_fault=fault, top_up_given=given, top_up_note=note)
        return await self._desk.show(visit, page, status=400)

    async def reconcile(self, visit: Visit) -> web.Response:
        """Say what a call cost."""
        form = visit.form
        attempt, given = form.get("attempt", ""), form.get("cost", "")
        reason = well_formed(form.get("reason", ""))[:MAX_WORDS]
        cost = amount_of(given)
        fault = cost if isinstance(cost, str) else ""
        if not fault and not reason.strip():
            fault = "Say why; it is kept with the correction."
        if not isinstance(cost, str) and not fault:
            rows = await self._treasury.reconcile(attempt, cost, reason)
            if not isinstance(rows, NotCorrected):
                self._desk.parts.changes.mark()
                return after(PATH, "reconciled")
            fault = rows.why
        page = await self._page(secrets.token_hex(12))
        if all(one.attempt != attempt for one in page.unknown):
            return refusal(409, "not_corrected", f"That call cannot be put right: {fault}")
        unknown = tuple(
            replace(one, given=given, reason=reason, fault=fault) if one.attempt == attempt else one
            for one in page.unknown
        )
        return await self._desk.show(visit, replace(page, unknown=unknown), status=400)

    async def clear(self, visit: Visit) -> web.Response:
        """Call a model again."""
        provider, model = visit.form.get("provider", ""), visit.form.get("model", "")
        if not await self._treasury.clear(provider, model):
            return refusal(404, "not_found", "That model is not set aside (any more).")
        self._desk.parts.changes.mark()
        return after(PATH, "cleared")

    async def _page(self, key: str) -> WalletPage:
        wallet, treasury = await self._treasury.wallet(), self._treasury
        unknown = await treasury.unknown()
        terms = wallet.terms
        return WalletPage(
            configured=wallet.active,
            balance=wallet.balance,
            held=wallet.held,
            purchased=wallet.purchased,
            consumed=wallet.gone,
            hard_limit=(ZERO if terms is None else terms.hard_limit) if wallet.active else None,
            soft_limit=None if terms is None else terms.soft_limit,
            history=tuple(
                WalletEvent(one.at_ms, "top-up", one.amount, one.note)
                for one in (await treasury.top_ups())[:HISTORY_SHOWN]
            ),
            key=key,
            unknown=tuple(map(_unknown, unknown[:UNKNOWN_SHOWN])),
            unknown_more=max(0, len(unknown) - UNKNOWN_SHOWN),
            set_aside=tuple(
                SetAside(one.provider, one.model, one.held, one.cost, one.at_ms)
                for one in await treasury.set_aside()
            ),
        )


def amount_of(text: str) -> Money | str:
    """An amount as it was typed, or what is wrong with it."""
    typed = text.strip().removeprefix("$").strip()
    try:
        amount = from_usd(typed)
    except BadAmount:
        return (
            f"{typed[:40]!r} is no amount of dollars, such as 20.00."
            if typed
            else "Say an amount, such as 20.00."
        )
    return "It must not be less than 0." if amount < 0 else amount


def _unknown(row: LedgerEntry) -> UnknownCall:
    call = row.attempt
    return UnknownCall(call.id, call.time_ms, call.bot, f"{call.provider}/{call.model}", row.cost, row.why)
