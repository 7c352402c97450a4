"""Who serves a model. Named by the meter and by those who build one; by nobody else.

How an attempt ends is in `runner.ports.outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from runner.money.estimate import RequestSize
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in the provider's own shape, all but the output limit. `body` is the provider's own business."""

    body: Any
    size: RequestSize


Hear = Callable[[str], None]
"""Gets each piece of the answer's text as it comes. MUST be cheap and MUST NOT raise."""


class Provider(Protocol):
    """A model's server.

    `prepare` MUST be pure and put everything that will be sent (but the output limit) into `size.text`.
    `complete` MUST send exactly one request, with its output limited to `max_output_tokens` in the field that
    this provider honours, MUST NOT retry, MUST NOT raise for what the network or the server does, and MUST
    end within `timeout_s`. Cancelled, it MUST close its connection. `cost of anything outside usage` MUST NOT
    be asked for; the service tier is pinned.
    """

    def prepare(self, request: ModelRequest) -> Prepared:
        """Put the request into the provider's own shape."""

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt; whoever wants to `hear` the answer while it comes may."""

    async def close(self) -> None:
        """Let go of connections."""
