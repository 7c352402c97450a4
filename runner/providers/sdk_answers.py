"""How an SDK's call ends: the answer, raw, or what its errors mean. Both SDKs raise errors of the same shape.

Rule: the SDKs are not imported here; whoever calls names their classes.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from runner.clock import Clock
from runner.providers import faults

if TYPE_CHECKING:
    import httpx2

    from runner.providers.attempt import Opened


class _StatusError(Protocol):
    """An answer with an HTTP status that is none of success."""

    response: httpx2.Response
    body: object


@dataclass(frozen=True, slots=True)
class SdkErrors:
    """What an SDK raises: for a status, for a connection, and which of the latter are time-outs."""

    status: type[Exception]
    connection: type[Exception]
    timeout: type[Exception]


async def opened(sending: Awaitable[object], errors: SdkErrors, clock: Clock, secret: str) -> Opened:
    """The answer that the SDK was asked to hand out raw, or what became of the request."""
    try:
        return cast("httpx2.Response", await sending)  # what `cast_to` asked for, whatever `stream_cls` says
    except errors.status as raised:
        error = cast("_StatusError", raised)
        response = error.response
        return faults.of_status(
            response.status_code, response.headers, error.body, now=clock.now_ms(), secret=secret
        )
    except errors.connection as error:
        return faults.of_connection(error, timeout=isinstance(error, errors.timeout))
