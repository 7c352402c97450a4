"""Every metric that `/metrics` tells: its name, kind, labels and meaning. docs/metrics.md says the same.

Rules: names begin with `botrunner_`, those of the process with `process_`, as everywhere; units are seconds, US dollars
and tokens; counters begin at 0 with the process and end in `_total` when they are told; gauges are as of now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One family. `family`: where a tally counts it (`telemetry.tally.Tally`); empty: it is read, not counted."""

    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    family: str = ""


_CALL = ("bot", "provider", "model")
_LIMIT = ("bot", "period")
_LINK = ("bot", "channel", "platform")

SPECS: Mapping[str, Spec] = {
    # ── messages and turns
    "botrunner_messages": Spec(
        "counter",
        ("bot", "channel", "fate"),
        "Messages that came in: accepted, duplicate, ignored, limited or overloaded.",
        "messages",
    ),
    "botrunner_turns": Spec(
        "counter", ("bot", "stop_reason"), "Messages that were answered, by how it ended.", "turns"
    ),
    "botrunner_turn_seconds": Spec(
        "histogram", ("bot",), "From the beginning of a turn to its stored answer.", "turn_times"
    ),
    "botrunner_tool_calls": Spec("counter", ("bot",), "Tools that models used.", "tool_calls"),
    "botrunner_sends": Spec(
        "counter",
        ("bot", "channel", "fate"),
        "Tries to send a part of an answer: sent, later, rejected or unknown.",
        "sends",
    ),
    # ── models and money
    "botrunner_model_calls": Spec(
        "counter",
        (*_CALL, "state"),
        "Calls of models that ended, by state in the ledger: settled, released or unknown.",
        "calls",
    ),
    "botrunner_model_call_seconds": Spec(
        "histogram", ("provider", "model"), "How long a call of a model took.", "call_times"
    ),
    "botrunner_spend_usd": Spec("counter", _CALL, "Money spent on calls that settled, US dollars.", "spend"),
    "botrunner_unknown_spend_usd": Spec(
        "counter",
        _CALL,
        "Money that calls of unknown fate can have cost, US dollars; corrections are not taken off.",
        "unknown_spend",
    ),
    "botrunner_tokens": Spec(
        "counter",
        (*_CALL, "kind"),
        "Tokens, each counted in one kind: input (not cached), cache_read, cache_write_5m, cache_write_1h, "
        "output (not reasoning), reasoning.",
        "tokens",
    ),
    "botrunner_cache_hit_ratio": Spec(
        "gauge",
        _CALL,
        "Part of all input tokens since the start that came from the provider's cache, 0 to 1.",
    ),
    "botrunner_spend_refusals": Spec(
        "counter",
        ("bot", "kind", "scope"),
        "Calls not made for want of money, by kind of scope: busy (held by others), limit, or batch (all its lines).",
        "refusals",
    ),
    "botrunner_alerts": Spec(
        "counter",
        ("scope", "percent"),
        "Alerts raised, by kind of scope; percent 0: the wallet is low, or a reviewer is asked.",
        "alerts",
    ),
    "botrunner_bounds_broken": Spec(
        "counter", ("provider", "model"), "Calls that cost more than their bound.", "bounds_broken"
    ),
    "botrunner_limit_usd": Spec(
        "gauge",
        _LIMIT,
        "A bot's own limit for its lifetime, this month or this day, where it has one, US dollars.",
    ),
    "botrunner_limit_settled_usd": Spec(
        "gauge", _LIMIT, "Spent against that limit, from the ledger, US dollars."
    ),
    "botrunner_limit_unknown_usd": Spec(
        "gauge", _LIMIT, "May have been spent against that limit, US dollars."
    ),
    "botrunner_limit_held_usd": Spec(
        "gauge", _LIMIT, "Set aside for calls that run, against that limit, US dollars."
    ),
    "botrunner_limit_used_ratio": Spec(
        "gauge", _LIMIT, "Settled and unknown as part of the limit, 0 to 1 (1 where the limit is 0)."
    ),
    "botrunner_wallet_purchased_usd": Spec(
        "gauge", (), "Paid into the wallet, where there is one, US dollars."
    ),
    "botrunner_wallet_balance_usd": Spec("gauge", (), "Left in the wallet, held money included, US dollars."),
    "botrunner_wallet_held_usd": Spec("gauge", (), "Held in the wallet for calls that run, US dollars."),
    # ── queues
    "botrunner_waiting_messages": Spec("gauge", ("bot",), "Messages that are accepted and not answered."),
    "botrunner_oldest_waiting_seconds": Spec(
        "gauge", ("bot",), "Age of the oldest message that is accepted and not answered; 0: there is none."
    ),
    "botrunner_outbox_parts": Spec(
        "gauge", ("state",), "Parts of answers that are not sent: pending, sending, unknown, rejected."
    ),
    "botrunner_sends_unknown": Spec(
        "gauge", (), "Parts of answers of which nobody knows whether they arrived."
    ),
    "botrunner_possibly_doubled": Spec(
        "gauge", (), "Parts that a restart sent again without knowing the fate of the first."
    ),
    # ── connections
    "botrunner_connection": Spec(
        "gauge", (*_LINK, "state"), "1 for the state that the connection is in, 0 for the others."
    ),
    "botrunner_connection_age_seconds": Spec(
        "gauge", _LINK, "How long the connection has been in its state."
    ),
    "botrunner_connection_changes": Spec(
        "counter",
        ("bot", "channel", "state"),
        "Changes of a connection, by its new state.",
        "connection_changes",
    ),
    # ── the fleet, where daemons share a store
    "botrunner_fleet_daemons": Spec(
        "gauge",
        ("state",),
        "Daemons of the store: alive, and gone in the last hour. None where it has one only.",
    ),
    "botrunner_lease_held": Spec(
        "gauge",
        ("name",),
        "1 for each connection and each piece of scheduled work that this daemon holds, 0 for another's to hold.",
    ),
    "botrunner_buried": Spec(
        "counter", (), "Daemons that were found gone by this one, and whose work it ended.", "buried"
    ),
    # ── the daemon
    "botrunner_loop_lag_seconds": Spec(
        "gauge", (), "The worst delay of the event loop in the last ten seconds."
    ),
    "botrunner_store_up": Spec(
        "gauge", (), "1: the store could be read for this scrape; 0: not, and what it would tell is not here."
    ),
    "botrunner_config_fault": Spec(
        "gauge", (), "1: bots.yaml as it is now cannot be used, the last good one goes on."
    ),
    "botrunner_config_needs_restart": Spec(
        "gauge", (), "Things that bots.yaml says and only a restart brings."
    ),
    "botrunner_config_loaded_timestamp_seconds": Spec(
        "gauge", (), "When what is in force was read, Unix time."
    ),
    "botrunner_config_reloads": Spec(
        "counter", ("result",), "Times that bots.yaml was read again with news: taken or refused.", "reloads"
    ),
    "botrunner_faults": Spec("counter", ("place",), "Faults that were dealt with, by where.", "faults"),
    "botrunner_build_info": Spec("gauge", ("version",), "Always 1."),
}

PROCESS: Mapping[str, Spec] = {
    "process_resident_memory_bytes": Spec("gauge", (), "Memory that the daemon has in use."),
    "process_virtual_memory_bytes": Spec("gauge", (), "Memory that the daemon has asked for."),
    "process_cpu_seconds": Spec("counter", (), "Processor time, user and system."),
    "process_start_time_seconds": Spec("gauge", (), "When the process began, Unix time."),
    "process_open_fds": Spec("gauge", (), "Open file descriptors."),
    "process_max_fds": Spec("gauge", (), "How many there may be."),
}
"""What the Prometheus client tells of any process on Linux."""


def told_names(name: str, spec: Spec) -> tuple[str, ...]:
    """The names under which a family's samples are told, as queries use them."""
    match spec.kind:
        case "counter":
            return (f"{name}_total",)
        case "gauge":
            return (name,)
        case "histogram":
            return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
