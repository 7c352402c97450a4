"""Money as an operator handles it: the wallet, calls of unknown fate, models set aside.

Rules: amounts are exact decimal texts in US dollars; a top-up has a key of its payer's making, so that one sent twice
is one; what nobody knew is put right by rows of its own, with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from runner.agent.wellformed import well_formed
from runner.clock import UnixMs, iso
from runner.dispatch.treasury import KeyReused, NotCorrected, Wallet
from runner.money.amounts import BadAmount, Money, from_usd, to_usd
from runner.money.ledger import LedgerEntry
from runner.ports.books import Deposit, Quarantine
from runner.web.answers import answer, refusal
from runner.web.calls import Answer, AnyCall, Asked, Call, Fields, Nothing, Shown, invalid
from runner.web.faults import fault
from runner.web.parts import WebParts

GROUP = "Money"
KEY_HEADER = "Idempotency-Key"
MAX_KEY = 200


def _amount(text: str) -> str:
    try:
        amount = from_usd(text)
    except BadAmount as error:
        raise ValueError(str(error)) from error
    if amount < 0:
        raise ValueError("must not be less than 0")
    return text


def _more_than_nothing(text: str) -> str:
    if from_usd(text) == 0:
        raise ValueError("must be more than 0")
    return text


def _plain(text: str) -> str:
    if text != well_formed(text) or not text.strip():
        raise ValueError("must be Unicode text without NUL that is not blank")
    return text


Usd = Annotated[str, Field(max_length=40), AfterValidator(_amount)]
Words = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_plain)]


class WalletShown(Shown):
    """The wallet. `active`: it limits calls; else they are pay as you go. `balance_usd` still holds `held_usd`."""

    active: bool
    balance_usd: str
    held_usd: str
    total_purchased_usd: str
    total_consumed_usd: str
    hard_limit: str | None
    soft_limit: str | None


class TopUp(Fields):
    """Money paid in. The key may stand in the header `Idempotency-Key` instead."""

    amount_usd: Annotated[Usd, AfterValidator(_more_than_nothing)]
    note: Annotated[str, Field(max_length=500), AfterValidator(well_formed)] = ""
    idempotency_key: Words | None = None


class TopUpShown(Shown):
    """One payment."""

    idempotency_key: str
    amount_usd: str
    at: str
    note: str


class TopUps(Shown):
    """All payments, the latest first."""

    top_ups: list[TopUpShown]


class PaidIn(Shown):
    """A payment and the wallet after it."""

    top_up: TopUpShown
    wallet: WalletShown


class UnknownCall(Shown):
    """A call of which nobody knows what it cost: all that it can have cost stands against its limits."""

    attempt: str
    at: str
    bot: str
    user: str
    provider: str
    model: str
    held_usd: str
    why: str
    request_id: str


class UnknownCalls(Shown):
    """The oldest first."""

    unknown: list[UnknownCall]


class Reconciliation(Fields):
    """What a call really cost, by the provider's bill; 0: it never ran."""

    cost_usd: Usd
    reason: Words


class Reconciled(Shown):
    """The rows that were added to the ledger."""

    attempt: str
    was_usd: str
    is_usd: str


class SetAside(Shown):
    """A model that charged more than its bound."""

    provider: str
    model: str
    attempt: str
    held_usd: str
    cost_usd: str
    at: str


class Quarantined(Shown):
    """Models that are not called until they are cleared."""

    models: list[SetAside]


class Clearing(Fields):
    """Which model to call again."""

    provider: Words
    model: Words


class MoneyCalls:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._treasury = parts.treasury

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        top_ups, unknown = "/api/wallet/top-ups", "/api/ledger/unknown"
        paid = Answer("It is paid in.", PaidIn)
        again = Answer("That key paid in the same amount before: nothing was paid in now.", PaidIn)
        other = {409: "That key paid in another amount before."}
        unknowns = {200: Answer("Calls of unknown fate.", UnknownCalls)}
        models, money = {200: Answer("They are.", Quarantined)}, GROUP
        return [
            Call("GET", "/api/wallet", "The wallet.", "read", self._wallet, Nothing, Nothing,
                 {200: Answer("The wallet.", WalletShown)}, group=money),
            Call("GET", top_ups, "What was paid in.", "read", self._top_ups, Nothing, Nothing,
                 {200: Answer("All payments.", TopUps)}, group=money),
            Call("POST", top_ups, "Pay in.", "admin", self._top_up, Nothing, TopUp, {201: paid, 200: again}, other,
                 group=money),
            Call("GET", unknown, "Calls of unknown fate.", "read", self._unknown, Nothing, Nothing, unknowns,
                 group=money),
            Call("POST", "/api/ledger/{attempt}/reconcile", "Say what a call of unknown fate cost.", "admin",
                 self._reconcile, Nothing, Reconciliation, {200: Answer("It is put right.", Reconciled)},
                 {409: "The call is not of unknown fate, was put right before, or is not there."}, group=money),
            Call("GET", "/api/quarantine", "Models set aside.", "read", self._aside, Nothing, Nothing, models,
                 group=money),
            Call("POST", "/api/quarantine/clear", "Call a model again.", "admin", self._clear, Nothing, Clearing,
                 models, {404: "That model was not set aside."}, group=money),
        ]  # fmt: skip

    async def _wallet(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        return answer(wallet_shown(await self._treasury.wallet()).model_dump())

    async def _top_ups(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        deposits = await self._treasury.top_ups()
        return answer({"top_ups": [top_up_shown(deposit).model_dump() for deposit in deposits]})

    async def _top_up(self, asked: Asked[Nothing, TopUp]) -> web.StreamResponse:
        body = asked.body
        key = asked.request.headers.get(KEY_HEADER) or body.idempotency_key
        if key is None or len(key) > MAX_KEY or not key.strip() or key != well_formed(key):
            wanted = f"send one here or in the header {KEY_HEADER}: a text of up to {MAX_KEY} characters"
            return invalid([fault("idempotency_key", wanted)])
        done = await self._treasury.top_up(key, from_usd(body.amount_usd), body.note)
        if isinstance(done, KeyReused):
            earlier = to_usd(done.earlier.amount)
            return refusal(409, "key_reused", f"the key {key[:80]!r} paid in {earlier} USD before")
        paid = PaidIn(top_up=top_up_shown(done.deposit), wallet=wallet_shown(await self._treasury.wallet()))
        return answer(paid.model_dump(), 201 if done.fresh else 200)

    async def _unknown(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        rows = await self._treasury.unknown()
        return answer({"unknown": [unknown_shown(row).model_dump() for row in rows]})

    async def _reconcile(self, asked: Asked[Nothing, Reconciliation]) -> web.StreamResponse:
        attempt, body = asked.params["attempt"], asked.body
        rows = await self._treasury.reconcile(attempt, from_usd(body.cost_usd), body.reason)
        if isinstance(rows, NotCorrected):
            return refusal(409, "not_corrected", rows.why)
        back, real = rows
        return answer({"attempt": attempt, "was_usd": to_usd(Money(-back.cost)), "is_usd": to_usd(real.cost)})

    async def _aside(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        models = [set_aside_shown(which) for which in await self._treasury.set_aside()]
        return answer(Quarantined(models=models).model_dump())

    async def _clear(self, asked: Asked[Nothing, Clearing]) -> web.StreamResponse:
        if not await self._treasury.clear(asked.body.provider, asked.body.model):
            return refusal(404, "not_found", "that model is not set aside")
        return await self._aside(Asked(asked.request, asked.params, Nothing(), Nothing(), {}, asked.caller))


def wallet_shown(wallet: Wallet) -> WalletShown:
    """The wallet as callers see it."""
    terms = wallet.terms
    soft = None if terms is None else terms.soft_limit
    return WalletShown(
        active=wallet.active,
        balance_usd=to_usd(wallet.balance),
        held_usd=to_usd(wallet.held),
        total_purchased_usd=to_usd(wallet.purchased),
        total_consumed_usd=to_usd(wallet.gone),
        hard_limit=to_usd(terms.hard_limit if terms is not None else Money(0)) if wallet.active else None,
        soft_limit=None if soft is None else to_usd(soft),
    )


def top_up_shown(deposit: Deposit) -> TopUpShown:
    """A payment as callers see it."""
    return TopUpShown(
        idempotency_key=deposit.key,
        amount_usd=to_usd(deposit.amount),
        at=iso(UnixMs(deposit.at_ms)),
        note=deposit.note,
    )


def reconciled_shown(attempt: str, rows: tuple[LedgerEntry, ...]) -> Reconciled:
    """A correction as callers see it: the row that takes back, the row that settles."""
    back, real = rows
    return Reconciled(attempt=attempt, was_usd=to_usd(Money(-back.cost)), is_usd=to_usd(real.cost))


def set_aside_shown(which: Quarantine) -> SetAside:
    """A model that is set aside as callers see it."""
    return SetAside(
        provider=which.provider,
        model=which.model,
        attempt=which.attempt,
        held_usd=to_usd(which.held),
        cost_usd=to_usd(which.cost),
        at=iso(UnixMs(which.at_ms)),
    )


def unknown_shown(row: LedgerEntry) -> UnknownCall:
    """A call of unknown fate as callers see it."""
    attempt = row.attempt
    return UnknownCall(
        attempt=attempt.id,
        at=iso(UnixMs(attempt.time_ms)),
        bot=attempt.bot,
        user=attempt.user,
        provider=attempt.provider,
        model=attempt.model,
        held_usd=to_usd(row.cost),
        why=row.why,
        request_id=row.request_id,
    )
