"""What servers answer to speech, read."""

import json
from typing import Any

import pytest

from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.providers.transcription import MOST_ANSWER, TranscriptReader

TOKENS = {"type": "tokens", "input_tokens": 9, "output_tokens": 2}


def read(answer: Any, broken: tuple[FaultKind, str] | None = None) -> Outcome:
    reader = TranscriptReader(seconds=7)
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    for at in range(0, len(data), 10):
        assert not reader.feed(data[at : at + 10])
    return reader.outcome("id", broken)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"usage": {"type": "duration", "seconds": 3}}, 3),
        ({"usage": {"type": "duration", "seconds": 3.2}, "duration": 9}, 4),
        ({"duration": 3.0000001}, 4),
        ({"duration": "5.5"}, 6),
        ({"duration": 0}, 0),
        ({"duration": 100}, 100),
        ({}, 7),
        ({"usage": None, "duration": None}, 7),
        ({"usage": {}, "duration": True}, 7),
        ({"usage": [], "duration": -1}, 7),
        ({"duration": "long"}, 7),
        ({"duration": [1]}, 7),
        ({"duration": 1e999}, 7),
        ({"duration": 10**400}, 7),
        ({"usage": {"seconds": float("nan")}}, 7),
    ],
)
def test_what_was_used(told: dict[str, Any], seconds: int) -> None:
    assert read({"text": "hi", **told}) == Completed(ModelReply("hi"), Usage(seconds), "id")


@pytest.mark.parametrize("answer", [[], {}, {"text": None}, {"text": 3}, "hello", 1])
def test_an_answer_without_a_text(answer: object) -> None:
    outcome = read(answer)
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.reply) == (FaultKind.NO_USAGE, None)


def test_a_bill_in_tokens_is_none_for_a_price_in_seconds() -> None:
    outcome = read({"text": "hi", "usage": TOKENS})
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.reply) == (FaultKind.NO_USAGE, ModelReply("hi"))


@pytest.mark.parametrize("answer", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json_may_have_run(answer: bytes) -> None:
    assert read(answer) == FateUnknown(FaultKind.CUT, "the answer is no JSON", request_id="id")
    late = (FaultKind.TIMEOUT, "too late")
    assert read(answer, late) == FateUnknown(*late, request_id="id")


def test_an_answer_without_end_is_not_kept() -> None:
    reader = TranscriptReader(seconds=7)
    with pytest.raises(ValueError, match="longer"):
        reader.feed(bytes(MOST_ANSWER + 1))
