"""Rows of a database as values, whichever database it is: the columns stand in the same order in all of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.batches import Batch, BatchFigures, BatchState, Ending, LineEnd
from runner.ports.mail import ConversationState, PreparedHead
from runner.ports.runs import Decision, Handoff, RunRecord, RunStatus
from runner.store.rules import Counters

_ATTEMPT = 18
"""Columns of a ledger row that are its attempt's."""


def counters_from(rows: Iterable[Iterable[Any]]) -> Counters:
    """Rows of `counters` as values."""
    return {name: Counter(settled, unknown, held) for name, settled, unknown, held in rows}


def entry_from(row: Iterable[Any]) -> LedgerEntry:
    """A row of `ledger_page` or `ledger_of_turn`, its `seq` first, as a value."""
    _, *columns = row
    scopes, state, hold, cost, *rest = columns[_ATTEMPT:]
    return LedgerEntry(
        Attempt(*columns[:_ATTEMPT]),
        tuple(json.loads(scopes)),
        ReservationState(state),
        hold,
        cost,
        Usage(*rest[:6]),
        *rest[6:],
    )


def state_from(row: Iterable[Any]) -> ConversationState:
    """A conversation's columns, in the order of `id, started_ms, …, prepared_head`."""
    *state, prepared_first_seq, prepared_head = row
    prepared = None if prepared_first_seq is None else PreparedHead(prepared_first_seq, prepared_head)
    return replace(ConversationState(*state), prepared=prepared)


def run_from(row: Iterable[Any]) -> RunRecord:
    """A row of `run` as a value."""
    name, bot, conversation, channel, user, status, *rest = row
    return RunRecord(name, bot, conversation, channel, user, RunStatus(status), *rest)


def handoff_from(row: Iterable[Any]) -> Handoff:
    """A row of `handoff` as a value."""
    name, run, bot, conversation, channel, lane, user, reason, errand, asked_ms, decision, *decided = row
    by, comment, decided_ms = decided
    return Handoff(
        id=name,
        run=run,
        bot=bot,
        conversation=conversation,
        channel=channel,
        lane=lane,
        user=user,
        reason=reason,
        errand=errand,
        asked_ms=asked_ms,
        decision=Decision(decision),
        by=by,
        comment=comment,
        decided_ms=decided_ms,
    )


def batch_from(row: Iterable[Any]) -> Batch:
    """A row of `batch` as a value."""
    name, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, *rest = row
    remote, reached, submitted_ms, ended_ms, why = rest
    return Batch(
        id=name,
        bot=bot,
        provider=provider,
        model=model,
        made_ms=made_ms,
        lines=lines,
        state=BatchState(state),
        key=key,
        label=label,
        terms=terms,
        held=Money(held),
        cancel=bool(cancel),
        ending=Ending(ending),
        remote=remote,
        reached=reached,
        submitted_ms=submitted_ms,
        ended_ms=ended_ms,
        why=why,
    )


def figures_from(row: Iterable[Any]) -> BatchFigures:
    """A row of `batch_figures`, the batch first, as a value."""
    _, waiting, settled, released, unknown, held, cost, unknown_cost, *tokens = row
    return BatchFigures(
        open=waiting,
        settled=settled,
        released=released,
        unknown=unknown,
        held=Money(held),
        cost=Money(cost),
        unknown_cost=Money(unknown_cost),
        usage=Usage(*tokens),
    )


def line_end_from(row: Iterable[Any]) -> LineEnd:
    """A row of `line_ends` as a value."""
    number, custom_id, state, cost, *rest = row
    usage, (stop_reason, why, reply) = Usage(*rest[:6]), rest[6:]
    return LineEnd(number, custom_id, ReservationState(state), cost, usage, stop_reason, why, reply)
