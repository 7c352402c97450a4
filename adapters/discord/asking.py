"""Commands (`/ask`, `/reset` …): from an interaction to what Discord is told within its three seconds.

    interaction ─▶ parse ─▶ deliver ─▶ ACCEPTED, DUPLICATE     a placeholder; the answer replaces it later
                                       IGNORED                 only the asker is told
                                       LIMITED, OVERLOADED     the same, with when to come again
                                       not durable in time     the same; if it was after all, it is answered

Rules: Discord brings an interaction once and never again, so whoever asked has to be told where it is not taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil
from typing import Any

from adapters.contract import Deliver, Delivery, DeliveryState
from adapters.discord import wire
from adapters.messages import InboundMessage

_LATE = Delivery(DeliveryState.OVERLOADED, retry_after_s=5.0)
Answer = Mapping[str, Any]
"""The response to an interaction: `type` and `data`."""


async def take(message: InboundMessage, deliver: Deliver, within_s: float) -> Answer:
    """Hand a command in; returns what to answer once it is durable, or that it is not."""
    try:
        async with asyncio.timeout(within_s):
            delivery = await deliver(message)
    except TimeoutError:
        delivery = _LATE
    match delivery.state:
        case DeliveryState.ACCEPTED | DeliveryState.DUPLICATE:
            return {"type": wire.DEFER}
        case DeliveryState.IGNORED:
            return said("This bot does not answer you here.")
        case DeliveryState.LIMITED | DeliveryState.OVERLOADED:
            return said(
                f"Too many messages at once. Please ask again in {max(1, ceil(delivery.retry_after_s))} s."
            )


def said(text: str) -> Answer:
    """An answer that only the asker sees."""
    return {
        "type": wire.SAY,
        "data": {"content": text, "flags": wire.EPHEMERAL, "allowed_mentions": wire.PINGS_NOBODY},
    }


def other(kind: object) -> Answer:
    """What to answer to an interaction that is no command of ours."""
    match kind:
        case wire.PING:
            return {"type": wire.PONG}
        case wire.AUTOCOMPLETE:
            return {"type": wire.CHOICES, "data": {"choices": []}}
        case wire.COMPONENT:
            return {"type": wire.DEFER_UPDATE}
        case _:
            return said("This bot does not know what to do with that.")
