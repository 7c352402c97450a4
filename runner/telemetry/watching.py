"""From events to log lines.

Rule: one line a finished turn at `info`; what a person has to act on at `warning` or `error`; a limit that is
reached is told once until it is changed, not once a message. A provider's words are told only with statuses that
are about keys, accounts and addresses: with others it may quote what a user wrote, which belongs to `debug`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from runner.money.alarms import PERCENTAGES
from runner.money.amounts import Money, to_usd
from runner.money.budget import Measure
from runner.money.scopes import kind_of, measure_of
from runner.ports.observer import (
    AlertRaised,
    BoundBroken,
    CallEnded,
    ConfigRefused,
    ConfigReloaded,
    ConnectionChanged,
    DaemonGone,
    DaemonRenamed,
    ErrandBegun,
    ErrandsOwed,
    Event,
    Fault,
    HandoffAsked,
    HandoffDecided,
    LimitChanged,
    LimitUsed,
    MessageAccepted,
    MessageTurnedAway,
    SendEnded,
    SpendRefused,
    SummaryMissed,
    ToolServerChanged,
    ToolServerSaid,
    TurnFinished,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_GOOD_SENDS = frozenset({"sent"})
_PROVIDER_SAID = re.compile(r"(HTTP (\d{3})): .+", re.DOTALL)
_ABOUT_ACCOUNTS = frozenset({"401", "402", "403", "404", "429"})
_BAD_STATES = frozenset({"down", "refused", "degraded"})
MOST_TOLD = 4096
"""Reached limits that are remembered as told; of more, the oldest may be told again."""


class Watching:
    """An Observer that logs; `runner.telemetry.tally` counts."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._log = logger
        self._told_limits: dict[tuple[str, str], None] = {}

    def note(self, event: Event) -> None:  # noqa: C901, PLR0912 - one flat table of events
        """Write one event down."""
        log = self._log
        match event:
            case MessageAccepted():
                log.debug(
                    "accepted", bot=event.bot, channel=event.channel, turn=event.turn, fresh=event.fresh
                )
            case MessageTurnedAway():
                log.debug("turned away", bot=event.bot, channel=event.channel, why=event.why)
            case CallEnded():
                self._call(event)
            case SpendRefused():
                self._refused(event)
            case LimitChanged():
                self._told_limits = {told: None for told in self._told_limits if told[1] != event.scope}
            case LimitUsed():
                pass  # whoever tells operators makes an AlertRaised of it, once
            case AlertRaised():
                self._alert(event)
            case BoundBroken():
                log.error(
                    "a call cost more than its bound: the model is not called again until it is cleared",
                    bot=event.bot,
                    attempt=event.attempt,
                    provider=event.provider,
                    model=event.model,
                    held_usd=to_usd(event.held),
                    cost_usd=to_usd(event.cost),
                )
            case TurnFinished():
                self._turn(event)
            case SummaryMissed():
                why = _unquoting(event.why)
                log.info("no summary", bot=event.bot, conversation=event.conversation, why=why)
            case SendEnded():
                write = log.debug if event.fate in _GOOD_SENDS else log.warning
                write(
                    "send",
                    bot=event.bot,
                    channel=event.channel,
                    outbox=event.outbox_id,
                    fate=event.fate,
                    why=event.why,
                )
            case ConnectionChanged():
                write = log.warning if event.state in _BAD_STATES else log.info
                write("connection", bot=event.bot, channel=event.channel, state=event.state, why=event.why)
            case ToolServerChanged() | ToolServerSaid():
                self._tools(event)
            case ErrandsOwed() | ErrandBegun() | HandoffAsked() | HandoffDecided():
                self._owed(event)
            case ConfigReloaded() | ConfigRefused():
                self._config(event)
            case DaemonGone() | DaemonRenamed():
                self._fleet(event)
            case Fault():
                log.error(
                    "fault",
                    where=event.where,
                    why=event.why,
                    bot=event.bot,
                    turn=event.turn,
                    exc_info=event.error,
                )

    def _tools(self, event: ToolServerChanged | ToolServerSaid) -> None:
        server = f"{event.workspace}/{event.server}"
        if isinstance(event, ToolServerSaid):
            self._log.debug("tool server said", server=server, line=event.line)
            return
        write = self._log.warning if event.state in _BAD_STATES else self._log.info
        about = {"why": event.why} if event.why else {"tools": event.tools}
        write("tool server", server=server, state=event.state, bots=", ".join(event.bots), **about)

    def _owed(self, event: ErrandsOwed | ErrandBegun | HandoffAsked | HandoffDecided) -> None:
        log, bot = self._log, event.bot
        match event:
            case ErrandsOwed():
                log.debug("owed", bot=bot, turn=event.turn, errands=event.count)
            case ErrandBegun():
                log.debug("errand", bot=bot, channel=event.channel, turn=event.turn, run=event.run)
            case HandoffAsked():
                asked = {"handoff": event.handoff, "run": event.run}
                log.warning("a reviewer is asked", bot=bot, channel=event.channel, **asked)
            case HandoffDecided():
                log.info("hand-off decided", bot=bot, handoff=event.handoff, decision=event.decision)

    def _call(self, event: CallEnded) -> None:
        if event.state == "settled" and not self._log.is_enabled_for(logging.DEBUG):
            return  # nobody reads it: not worth making
        write = self._log.debug if event.state == "settled" else self._log.warning
        write(
            "call",
            bot=event.bot,
            turn=event.turn,
            attempt=event.attempt,
            provider=event.provider,
            model=event.model,
            state=event.state,
            held_usd=to_usd(event.held),
            cost_usd=to_usd(event.cost),
            input_tokens=event.usage.input_tokens,
            output_tokens=event.usage.output_tokens,
            latency_ms=event.latency_ms,
            why=_unquoting(event.why),
        )
        if event.why != _unquoting(event.why):
            self._log.debug("provider said", bot=event.bot, turn=event.turn, why=event.why)

    def _config(self, event: ConfigReloaded | ConfigRefused) -> None:
        if isinstance(event, ConfigRefused):
            self._log.error(
                "bots.yaml cannot be used: the last good one goes on", problems="; ".join(event.problems)
            )
            return
        told = {name: ", ".join(value) for name, value in asdict(event.done).items() if value}
        write = self._log.warning if event.done.needs_restart or event.done.warnings else self._log.info
        write("reloaded", reason=event.reason, **told)

    def _fleet(self, event: DaemonGone | DaemonRenamed) -> None:
        if isinstance(event, DaemonRenamed):
            self._log.warning(
                "the store was out of reach for too long: this daemon was taken for dead and goes on anew",
                before=event.before,
                now=event.now,
            )
            return
        ended_well = event.stopped and not event.holds_unknown and not event.sends_again
        write = self._log.info if ended_well else self._log.warning
        write(
            "a daemon has stopped" if ended_well else "a daemon is gone: what it left was ended",
            daemon=event.daemon,
            name=event.name,
            holds_unknown=event.holds_unknown,
            sends_again=event.sends_again,
        )

    def _refused(self, event: SpendRefused) -> None:
        told = (event.bot, event.scope if not event.scope.startswith("message:") else event.kind)
        if event.kind == "limit" and told not in self._told_limits:
            if len(self._told_limits) >= MOST_TOLD:
                del self._told_limits[next(iter(self._told_limits))]
            self._told_limits[told] = None
            self._log.warning("limit reached", bot=event.bot, scope=event.scope, turn=event.turn)
        else:
            self._log.debug("refused", bot=event.bot, scope=event.scope, kind=event.kind, turn=event.turn)

    def _alert(self, event: AlertRaised) -> None:
        if kind_of(event.scope) == "handoff":
            return  # told already, as what it is
        tokens = measure_of(event.scope) is Measure.TOKENS
        figures = (event.limit, event.gone)
        limit, gone = figures if tokens else tuple(to_usd(Money(figure)) for figure in figures)
        write = self._log.info if event.percent == PERCENTAGES[0] else self._log.warning
        write(
            "alert",
            scope=event.scope,
            percent=event.percent,
            limit=limit,
            gone=gone,
            unit="tokens" if tokens else "USD",
        )

    def _turn(self, event: TurnFinished) -> None:
        self._log.info(
            "turn",
            bot=event.bot,
            channel=event.channel,
            conversation=event.conversation,
            turn=event.turn,
            stop=event.stop_reason,
            steps=event.iterations,
            tool_calls=event.tool_calls,
            cost_usd=to_usd(event.cost),
            latency_ms=event.latency_ms,
            **({"why": _unquoting(event.detail)} if event.detail else {}),
        )


def _unquoting(why: str) -> str:
    """A reason without what may be a user's words."""
    said = _PROVIDER_SAID.match(why)
    if said is None or said[2] in _ABOUT_ACCOUNTS:
        return why
    return f"{said[1]} (what it said is told at debug)"
