"""Alerts: an operator hears once that a limit is being used up, a reviewer that one is asked, though the daemon stops.

    events ─▶ queue ─▶ store.raise_alert (once for ever) ─▶ AlertRaised ─▶ log, metrics
                                      │ waits
                                      ▼
                                 deliver ─▶ webhook: signed, tried again, the same id each time

Rules: only the highest percentage that is reached is told, those below it count as told with it; a raised limit is
another limit and is told of anew; a webhook that does not answer 2xx is tried again, later and later, for about a
day, across restarts; what is told holds names of scopes and figures, never a message and never a secret. On a fleet
each daemon tells what it sees, and one of them delivers for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from adapters.signatures import sha256_hex
from runner.bots import Secret
from runner.clock import Clock, is_due
from runner.errors import StoreError
from runner.money import scopes
from runner.money.alarms import PERCENTAGES, SOFT, is_told
from runner.money.terms import WalletTerms
from runner.ports.books import Alert, BookStore, WaitingAlert
from runner.ports.observer import (
    AlertRaised,
    BoundBroken,
    Event,
    Fault,
    HandoffAsked,
    LimitUsed,
    Observer,
    SpendRefused,
)
from runner.telemetry.alert_text import body_of

WAITING_ROOM = 1000
"""Uses of limits that wait to be looked at; of more, the next call's event tells the same again."""
REMEMBERED = 10_000
LOOK_AGAIN_S = 2.0
FIRST_WAIT_MS = 2_000
LONGEST_WAIT_MS = 2 * 3_600_000
MOST_TRIES = 22
"""With the waits above: about a day."""
AT_ONCE = 20

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body to an address and returns the HTTP status. Raises OSError or TimeoutError where there is none."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Where alerts are posted; `secret` None: unsigned."""

    url: Secret
    secret: Secret | None = None


class Alerts:
    """An Observer that tells operators about limits, and reviewers about hand-offs.

    Args:
        hook: asked anew for each alert; None: log and metrics only.
        wallet: the wallet's terms now in force.
        shared: whether other daemons raise alerts, too, which whoever delivers has to look for.
    """

    def __init__(
        self,
        store: BookStore,
        clock: Clock,
        observer: Observer,
        post: Post,
        hook: Callable[[], Hook | None],
        wallet: Callable[[], WalletTerms | None],
        *,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self._store = store
        self._clock = clock
        self._observer = observer
        self._post = post
        self._hook = hook
        self._wallet = wallet
        self._queue: asyncio.Queue[Alert] = asyncio.Queue(WAITING_ROOM)
        self._told: dict[tuple[str, int], int] = {}
        self._raised = asyncio.Event()

    def note(self, event: Event) -> None:
        """Look whether it is worth a word."""
        match event:
            case LimitUsed():
                self._consider(event.scope, event.limit, event.gone, event.percent)
                self._consider_soft(event)
            case SpendRefused(kind="limit") if is_told(event.scope):
                self._consider(event.scope, event.limit, event.gone, PERCENTAGES[-1])
            case BoundBroken():
                scope = scopes.of_model(event.provider, event.model)
                self._consider(scope, event.held, event.cost, PERCENTAGES[-1])
            case HandoffAsked():
                self._ask(scopes.of_handoff(event.bot, event.handoff))
            case _:
                pass

    def _ask(self, scope: str) -> None:
        """Tell of it, unless that was done since the start; the store knows what was told before."""
        if not self._queue.full() and self._is_news(scope, 0, 0):
            self._queue.put_nowait(Alert(scope, 0, 0, 0, self._clock.now_ms()))

    def _is_news(self, scope: str, limit: int, percent: int) -> bool:
        """Whether more is used up than was told; from now on that is told."""
        if percent <= self._told.get((scope, limit), -1):
            return False
        if len(self._told) >= REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[scope, limit] = percent
        return True

    def _consider(self, scope: str, limit: int, gone: int, percent: int) -> None:
        if percent and not self._queue.full() and self._is_news(scope, limit, percent):
            self._queue.put_nowait(Alert(scope, percent, limit, gone, self._clock.now_ms()))

    def _consider_soft(self, event: LimitUsed) -> None:
        """The wallet has a limit of its own, by what is left."""
        terms = self._wallet()
        if event.scope != scopes.WALLET or terms is None or terms.soft_limit is None or self._queue.full():
            return
        balance = event.limit + terms.hard_limit - event.gone
        if balance <= terms.soft_limit and self._told.get(("soft", event.limit)) is None:
            self._told["soft", event.limit] = SOFT
            self._queue.put_nowait(Alert(scopes.WALLET, SOFT, event.limit, event.gone, self._clock.now_ms()))

    async def run(self) -> None:
        """Tell and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.tell_all(), name="alerts told")
            group.create_task(self.deliver_all(), name="alerts delivered")

    async def tell_all(self) -> None:
        """Tell what this daemon sees, until cancelled."""
        while True:
            await self._tell(await self._queue.get())

    async def _tell(self, alert: Alert) -> None:
        """Write it down; where it is news, say so."""
        try:
            fresh = await self._store.raise_alert(alert, deliver=self._hook() is not None)
            for percent in PERCENTAGES:
                if percent < alert.percent:
                    lower = Alert(alert.scope, percent, alert.limit, alert.gone, alert.at_ms)
                    await self._store.raise_alert(lower, deliver=False)
        except StoreError as error:
            self._told.pop((alert.scope, alert.limit), None)  # the next call's event tries again
            self._observer.note(Fault("alert", str(error)))
            return
        if fresh:
            self._observer.note(AlertRaised(alert.scope, alert.percent, alert.limit, alert.gone))
            self._raised.set()

    async def deliver_all(self) -> None:
        """Post what waits, the oldest first, until cancelled; one that fails does not hold up the others."""
        while True:
            self._raised.clear()
            if await self._deliver_due() or self._shared:
                await self._clock.sleep(LOOK_AGAIN_S)
            else:
                await self._raised.wait()

    async def _deliver_due(self) -> bool:
        """Post what is due; whether something is left to look at later."""
        try:
            left = False
            for waiting in await self._store.waiting_alerts(AT_ONCE):
                due = is_due(waiting.due_ms, self._clock.now_ms(), LONGEST_WAIT_MS)
                left |= not (due and await self._deliver(waiting))
        except StoreError as error:
            self._observer.note(Fault("alert", str(error)))
            return True
        return left

    async def _deliver(self, waiting: WaitingAlert) -> bool:
        """Post one; whether it is done with."""
        hook = self._hook()
        why = None if hook is None else await self._posted(hook, waiting)
        if why is None:
            await self._store.end_alert(waiting.id, None)
            return True
        tries = waiting.tries + 1
        if tries >= MOST_TRIES:
            self._observer.note(Fault("alert", f"given up after {tries} tries: {why}"))
            await self._store.end_alert(waiting.id, None)
            return True
        wait = min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2**waiting.tries)
        await self._store.end_alert(waiting.id, self._clock.now_ms() + wait)
        return False

    async def _posted(self, hook: Hook, waiting: WaitingAlert) -> str | None:
        """Post one; why it was not taken, or None."""
        body = body_of(waiting)
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"alert-{waiting.id}"}
        if hook.secret is not None:
            headers["X-Signature-256"] = f"sha256={sha256_hex(hook.secret.reveal(), body)}"
        try:
            status = await self._post(hook.url.reveal(), body, headers)
        except (OSError, TimeoutError, ValueError) as error:
            return type(error).__name__  # its text may hold the address, which may hold a secret
        return None if 200 <= status < 300 else f"HTTP {status}"  # noqa: PLR2004 - HTTP's own numbers
