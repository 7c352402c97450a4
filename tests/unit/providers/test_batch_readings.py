"""What batch servers say, read: lines cut from bytes, states, and results that are not plain."""

from functools import partial
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ports.batch_server import NotTaken, RemoteState
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.providers import anthropic_batches, batch_calls, openai_batches
from runner.providers.batch_calls import KEPT_OF_LONG, Line, Lines
from runner.providers.dialects import OPENAI

CHAT: dict[str, Any] = {"id": "batch_1", "status": "in_progress", "created_at": 1_700_000_000}
MESSAGE: dict[str, Any] = {
    "id": "msgbatch_1",
    "processing_status": "in_progress",
    "created_at": "2024-08-20T18:37:24.100435Z",
    "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
}


@given(
    st.lists(st.binary(max_size=9).map(lambda b: b"x" + b.replace(b"\n", b"") + b"x"), max_size=6),
    st.integers(1, 7),
    st.sampled_from([b"", b"\n\n"]),
)
def test_lines_are_the_same_however_they_come(lines: list[bytes], size: int, end: bytes) -> None:
    data = b"\n".join(lines) + end
    cutter = Lines(longest=100)
    found = [line for at in range(0, len(data), size) for line in cutter.feed(data[at : at + size])]
    assert found + cutter.end() == [Line(line) for line in lines]


def test_of_a_line_that_is_too_long_the_beginning_is_kept() -> None:
    cutter = Lines(longest=10_000)
    found = []
    for _ in range(50):
        found += cutter.feed(b"y" * 1000)
        assert len(cutter._rest) <= 11_000
    found += cutter.feed(b"\nshort\n")
    assert found == [Line(b"y" * KEPT_OF_LONG, whole=False), Line(b"short")]


async def test_a_result_that_is_too_long_is_somebody_s_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_calls, "LONGEST_LINE", KEPT_OF_LONG)
    long = b'{"id":"batch_req_1","custom_id":"a-1","response":"' + b"z" * KEPT_OF_LONG + b'"}\n'
    hidden = b'{"response":"' + b"z" * KEPT_OF_LONG + b'","custom_id":"a-2"}\n'
    known, lost = await told(long + hidden)
    assert isinstance(known, tuple)
    assert known[0] == "a-1"
    assert isinstance(known[1], FateUnknown)
    assert isinstance(lost, NotTaken)
    assert (lost.certain, lost.again_s) == (False, None)


async def test_an_id_inside_an_answer_is_nobody_s() -> None:
    (lost,) = await told(b'{"response":{"custom_id":"a-1"')
    assert isinstance(lost, NotTaken)


async def told(file: bytes) -> list[tuple[str, Outcome] | NotTaken]:
    """What comes of a file of OpenAI's."""

    async def opened() -> httpx2.Response:
        return httpx2.Response(200, content=file)

    read = partial(openai_batches.line_outcome, dialect=OPENAI)
    return [each async for each in batch_calls.results([opened], 30.0, read)]


@pytest.mark.parametrize(
    ("told_by_it", "state", "why"),
    [
        ({"status": "validating"}, RemoteState.RUNNING, ""),
        ({"status": "finalizing"}, RemoteState.RUNNING, ""),
        ({"status": "a word of the future"}, RemoteState.RUNNING, ""),
        ({"status": "cancelling"}, RemoteState.CANCELING, ""),
        ({"status": "completed"}, RemoteState.ENDED, ""),
        ({"status": "expired"}, RemoteState.ENDED, "expired"),
        ({"status": "cancelled"}, RemoteState.ENDED, "cancelled"),
        ({"status": "failed"}, RemoteState.FAILED, "failed"),
        ({"status": "failed", "output_file_id": "f"}, RemoteState.ENDED, "failed"),
        ({"status": "failed", "request_counts": {"completed": 1}}, RemoteState.ENDED, "failed"),
        (
            {"status": "failed", "errors": {"data": [{"message": "of sk-1"}]}},
            RemoteState.FAILED,
            "of ***",
        ),
    ],
)
def test_how_far_openai_is(told_by_it: dict[str, Any], state: RemoteState, why: str) -> None:
    batch = openai_batches.remote_batch({**CHAT, **told_by_it}, secret="sk-1")
    assert (batch.id, batch.state, batch.why, batch.ours) == ("batch_1", state, why, "")
    assert batch.created_ms == 1_700_000_000_000


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("in_progress", RemoteState.RUNNING),
        ("canceling", RemoteState.CANCELING),
        ("ended", RemoteState.ENDED),
        ("a word of the future", RemoteState.RUNNING),
    ],
)
def test_how_far_anthropic_is(status: str, state: RemoteState) -> None:
    batch = anthropic_batches.remote_batch({**MESSAGE, "processing_status": status})
    assert (batch.id, batch.state, batch.total, batch.created_ms) == ("msgbatch_1", state, 2, 1724179044100)


@pytest.mark.parametrize(("code", "kind"), [("batch_expired", "timeout"), ("batch_cancelled", "rejected")])
def test_lines_that_openai_never_ran(code: str, kind: str) -> None:
    outcome = openai_batches.line_outcome({"response": None, "error": {"code": code}}, OPENAI)
    assert isinstance(outcome, NotRun)
    assert outcome.kind == kind


def test_a_line_of_which_openai_does_not_say_enough() -> None:
    error = {"code": "request_timeout", "message": "for sk-1"}
    outcome = openai_batches.line_outcome({"response": None, "error": error}, OPENAI, "sk-1")
    assert outcome == FateUnknown(FaultKind.SERVER, "request_timeout: for ***")


@pytest.mark.parametrize(
    ("told_type", "kind"),
    [
        ("invalid_request_error", FaultKind.REJECTED),
        ("overloaded_error", FaultKind.OVERLOADED),
        ("api_error", FaultKind.SERVER),
        ("a word of the future", FaultKind.REJECTED),
    ],
)
def test_lines_that_anthropic_does_not_bill(told_type: str, kind: FaultKind) -> None:
    error = {"type": "error", "request_id": "req_1", "error": {"type": told_type, "message": "of sk-1"}}
    outcome = anthropic_batches.line_outcome({"result": {"type": "errored", "error": error}}, "sk-1")
    assert outcome == NotRun(kind, f"{told_type}: of ***", request_id="req_1")


def test_a_result_of_a_kind_that_is_not_known_is_none() -> None:
    with pytest.raises(ValueError, match="odd"):
        anthropic_batches.line_outcome({"result": {"type": "odd"}})
