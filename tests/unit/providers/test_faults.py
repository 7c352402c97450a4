"""What a fault means: only what provably never ran is NotRun."""

from itertools import pairwise

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from runner.clock import UnixMs
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun
from runner.providers.faults import of_connection, of_status, retry_after_s, tidy

NOON = UnixMs(1_795_348_800_000)
NOON_TEXT = "Sun, 22 Nov 2026 12:00:00 GMT"
HOST = ConnectionKey("h", 1, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


def status(code: int, body: object = None) -> NotRun | FateUnknown:
    return of_status(code, {"x-request-id": "r1"}, body, now=NOON, secret="sk-secret")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, FaultKind.REJECTED),
        (401, FaultKind.REJECTED),
        (402, FaultKind.REJECTED),
        (403, FaultKind.REJECTED),
        (408, FaultKind.OVERLOADED),
        (409, FaultKind.OVERLOADED),
        (422, FaultKind.REJECTED),
        (429, FaultKind.RATE_LIMITED),
        (499, FaultKind.REJECTED),
        (503, FaultKind.OVERLOADED),
        (529, FaultKind.OVERLOADED),
    ],
)
def test_statuses_of_what_never_ran(code: int, kind: FaultKind) -> None:
    assert status(code) == NotRun(kind, f"HTTP {code}", code, None, "r1")


@pytest.mark.parametrize("code", [204, 301, 307, 500, 501, 502, 504, 520, 524, 530])
def test_all_other_statuses_prove_nothing(code: int) -> None:
    assert status(code) == FateUnknown(FaultKind.SERVER, f"HTTP {code}", status=code, request_id="r1")


def test_a_spent_account_is_no_rate_limit() -> None:
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    assert status(429, body) == NotRun(
        FaultKind.REJECTED, "HTTP 429: You exceeded your current quota", 429, None, "r1"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no  sk-secret\nhere"}},
        {"message": "no sk-secret here"},
        {"error": "no sk-secret here"},
        [{"error": {"message": "no sk-secret here"}}],
        "no sk-secret here",
    ],
)
def test_a_server_s_words_in_all_their_places(body: object) -> None:
    assert status(400, body).why == "HTTP 400: no *** here"


def test_long_words_are_cut() -> None:
    assert len(tidy("x" * 9999, "")) == 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, 86_400.0),
        ({"retry-after": "later"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "Sun, 22 Nov 2026 12:00:10 GMT"}, 20.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "today"}, 30.0),
    ],
)
def test_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOON) == seconds


def chained(*links: BaseException) -> BaseException:
    """An SDK's error: each link raised from the next."""
    for error, cause in pairwise(links):
        error.__cause__ = cause
    return links[0]


@pytest.mark.parametrize(
    "cause",
    [
        aiohttp.ClientConnectorError(HOST, ConnectionRefusedError(111, "refused")),
        aiohttp.ClientConnectorDNSError(HOST, OSError(-2, "unknown name")),
        aiohttp.ConnectionTimeoutError("connecting took too long"),
        aiohttp.InvalidUrlClientError("http:///"),
    ],
)
@pytest.mark.parametrize("timeout", [False, True])
def test_no_connection_no_run(cause: Exception, *, timeout: bool) -> None:
    outcome = of_connection(chained(Exception("sdk"), Exception("httpx"), cause), timeout=timeout)
    assert isinstance(outcome, NotRun)
    assert outcome.kind is FaultKind.CONNECT


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (aiohttp.ServerDisconnectedError(), FaultKind.CUT),
        (aiohttp.ClientOSError(104, "reset"), FaultKind.CUT),
        (aiohttp.ClientPayloadError("half"), FaultKind.CUT),
        (aiohttp.SocketTimeoutError("silence"), FaultKind.TIMEOUT),
        (TimeoutError(), FaultKind.TIMEOUT),
    ],
)
def test_a_connection_that_broke_may_have_delivered(cause: Exception, kind: FaultKind) -> None:
    """Whatever the SDK calls it: one of them names a lost connection a timeout of connecting."""
    outcome = of_connection(
        chained(Exception("sdk"), Exception("httpx"), cause), timeout=kind is FaultKind.TIMEOUT
    )
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is kind


def test_a_lost_connection_that_is_called_a_timeout() -> None:
    outcome = of_connection(chained(Exception("sdk"), aiohttp.ServerDisconnectedError()), timeout=True)
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.CUT


def test_the_fault_of_another_attempt_is_no_proof() -> None:
    """A second attempt may be made while the first one's fault is being handled: Python links the two."""
    second = Exception("sdk")
    second.__context__ = aiohttp.ClientConnectorError(HOST, ConnectionRefusedError(111, "refused"))
    assert isinstance(of_connection(second, timeout=False), FateUnknown)
