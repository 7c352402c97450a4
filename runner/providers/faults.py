"""What a fault means for money: a table and the reading of headers. Pure but for the exceptions it knows.

    no connection was made                        NotRun  CONNECT
    429                                           NotRun  RATE_LIMITED  (a spent account: REJECTED)
    408, 409, 425, 503, 529 before a stream       NotRun  OVERLOADED
    any other 4xx                                 NotRun  REJECTED
    anything else: another status, a connection   FateUnknown
      that broke after the request was sent, silence

Rule: only what provably never ran is NotRun. A connection that breaks while the request is being sent is not
proof: the server may have it whole.
"""

from __future__ import annotations

import email.utils
from collections.abc import Iterator, Mapping

import aiohttp

from runner.clock import UnixMs
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun

LONGEST_WHY = 300
LONGEST_RETRY_AFTER_S = 86_400.0
SPENT = "insufficient_quota"
"""OpenAI's code for an account without money, told as a 429 that no waiting mends."""

_PASSING = frozenset({408, 409, 425, 503, 529})
_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


def of_status(
    status: int, headers: Mapping[str, str], body: object, *, now: UnixMs, secret: str
) -> NotRun | FateUnknown:
    """What an HTTP status in place of a stream means. `headers` answers to lower-case names."""
    said, code = _error_of(body)
    why = tidy(f"HTTP {status}: {said}" if said else f"HTTP {status}", secret)
    request_id = headers.get("x-request-id") or headers.get("request-id") or ""
    if status in _PASSING:
        kind = FaultKind.OVERLOADED
    elif status == 429 and code != SPENT:  # noqa: PLR2004 - HTTP
        kind = FaultKind.RATE_LIMITED
    elif 400 <= status < 500:  # noqa: PLR2004 - HTTP
        kind = FaultKind.REJECTED
    else:
        return FateUnknown(FaultKind.SERVER, why, status=status, request_id=request_id)
    return NotRun(kind, why, status, retry_after_s(headers, now), request_id)


def of_connection(error: BaseException, *, timeout: bool) -> NotRun | FateUnknown:
    """What a connection's failure means before anything was answered; `error` is what the SDK raised."""
    cause = next((e for e in _causes(error) if isinstance(e, _NEVER_CONNECTED)), None)
    if cause is not None:
        return NotRun(FaultKind.CONNECT, f"cannot connect ({type(cause).__name__})")
    broke = aiohttp.ServerDisconnectedError, ConnectionError
    if timeout and not any(isinstance(e, broke) for e in _causes(error)):
        return FateUnknown(FaultKind.TIMEOUT, "no answer in time")
    *_, first = _causes(error)
    return FateUnknown(FaultKind.CUT, f"the connection broke ({type(first).__name__})")


def retry_after_s(headers: Mapping[str, str], now: UnixMs) -> float | None:
    """How long to wait, in seconds: from `retry-after-ms`, or `retry-after` in seconds or as a date.

    A date is held against the answer's own `date` where it has one, so a clock that is wrong does no harm.
    """
    for name, a_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / a_second
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return min(seconds, LONGEST_RETRY_AFTER_S)
    then = _http_date(headers.get("retry-after", ""))
    if then is None:
        return None
    sent = _http_date(headers.get("date", ""))
    return min(max(0.0, then - (now / 1000 if sent is None else sent)), LONGEST_RETRY_AFTER_S)


def tidy(text: str, secret: str) -> str:
    """A server's words as one short line without the key."""
    clean = " ".join((text.replace(secret, "***") if secret else text).split())
    return clean if len(clean) <= LONGEST_WHY else clean[: LONGEST_WHY - 1] + "…"


def _error_of(body: object) -> tuple[str, str]:
    """Message and code of an error body of either protocol; a list of one stands for its first."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return (error if isinstance(error, str) else ""), ""
    return str(error.get("message") or ""), str(error.get("code") or error.get("type") or "")


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What it was raised from. Not its context: that may be another attempt's fault, still being handled."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
