"""What a person hands in as a batch: read whole, or all its faults."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.batch_meter.requests import (
    BatchPrompt,
    prompt_to_json,
    request_of,
    stored_request,
    terms_from_json,
    terms_of,
    terms_to_json,
)
from runner.conversations.models import AssistantMessage, UserMessage
from runner.dispatch.batch_lines import (
    MOST_BYTES,
    MOST_FAULTS,
    MOST_LINES,
    LineFault,
    read_jsonl,
    read_objects,
)
from runner.money.prices import ModelLimits, Price, Rates, Tier
from runner.ports.batches import BatchLine
from runner.testing.scenes import CHOICE, a_bot

TWO_SYSTEMS = (
    '{"custom_id": "a", "system": "S", "messages": [{"role": "system", "content": "T"},'
    ' {"role": "user", "content": "u"}]}'
)


def test_lines_of_both_kinds() -> None:
    lines = (
        b'{"custom_id": "a", "prompt": "x", "system": "S", "max_tokens": 5}\r\n\n'
        b'{"custom_id": "b", "messages": [{"role": "system", "content": "T"}, {"role": "user", "content": "u"},'
        b' {"role": "assistant", "content": "v"}, {"role": "user", "content": "w"}]}'
    )
    assert read_jsonl(lines, 5) == [
        BatchPrompt("a", (UserMessage("x"),), "S", 5),
        BatchPrompt("b", (UserMessage("u"), AssistantMessage("v"), UserMessage("w")), "T"),
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("[]", ""),
        ('{"prompt": "x"}', "custom_id"),
        ('{"custom_id": 7, "prompt": "x"}', "custom_id"),
        ('{"custom_id": "", "prompt": "x"}', "custom_id"),
        ('{"custom_id": "a\\u0000", "prompt": "x"}', "custom_id"),
        ('{"custom_id": "a"}', ""),
        ('{"custom_id": "a", "prompt": "x", "messages": []}', ""),
        ('{"custom_id": "a", "prompt": " "}', "prompt"),
        ('{"custom_id": "a", "prompt": "\\ud800"}', "prompt"),
        ('{"custom_id": "a", "prompt": ["x"]}', "prompt"),
        ('{"custom_id": "a", "messages": []}', "messages"),
        ('{"custom_id": "a", "messages": {}}', "messages"),
        ('{"custom_id": "a", "messages": [7]}', "messages[0]"),
        ('{"custom_id": "a", "messages": [{"role": "user"}]}', "messages[0]"),
        ('{"custom_id": "a", "messages": [{"role": "tool", "content": "x"}]}', "messages[0].role"),
        ('{"custom_id": "a", "messages": [{"role": "system", "content": "x"}]}', "messages"),
        ('{"custom_id": "a", "messages": [{"role": "assistant", "content": "x"}]}', "messages"),
        ('{"custom_id": "a", "prompt": "x", "max_tokens": 0}', "max_tokens"),
        ('{"custom_id": "a", "prompt": "x", "max_tokens": true}', "max_tokens"),
        ('{"custom_id": "a", "prompt": "x", "max_tokens": 6}', "max_tokens"),
        ('{"custom_id": "a", "prompt": "x", "system": ""}', "system"),
        ('{"custom_id": "a", "prompt": "x", "temperature": 1}', "temperature"),
        (TWO_SYSTEMS, "system"),
        ("{", ""),
        ("\xff", ""),
    ],
)
def test_a_fault_has_its_line_and_its_field(line: str, field: str) -> None:
    data = b'\n{"custom_id": "good", "prompt": "x"}\n' + line.encode("latin-1")
    [fault] = read_jsonl(data, 5)
    assert isinstance(fault, LineFault)
    assert (fault.line, fault.field) == (3, field)
    assert fault.message


def test_a_name_stands_for_one_line() -> None:
    lines = [{"custom_id": name, "prompt": "x"} for name in ("a", "b", "a", "a")]
    assert read_objects(lines, 5) == [
        LineFault(number, "custom_id", "is that of line 1, too") for number in (3, 4)
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "there are no lines"),
        (b"x" * (MOST_BYTES + 1), f"may have {MOST_BYTES} bytes"),
        (b"1\n" * (MOST_LINES + 1), f"may have {MOST_LINES} lines"),
    ],
)
def test_a_file_that_is_no_batch(data: bytes, why: str) -> None:
    [fault] = read_jsonl(data)
    assert isinstance(fault, LineFault)
    assert (fault.line, why in fault.message) == (0, True)


def test_not_all_faults_of_a_large_file_are_told() -> None:
    assert len(read_jsonl(b"1\n" * 500)) == MOST_FAULTS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["custom_id", "prompt", "messages", "role", "content", "system", "max_tokens"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=4))
def test_whatever_comes_is_read_or_refused_and_both_ways_agree(lines: list[object]) -> None:
    read = read_objects(lines, 5)
    assert read_jsonl("\n".join(json.dumps(line) for line in lines).encode(), 5) == read
    assert {type(each) for each in read} in ({BatchPrompt}, {LineFault})


def test_what_is_stored_is_sent_as_it_was_priced() -> None:
    price = Price(
        "m", "p", Rates(3, 4, 1), (Tier(9, Rates(5, 6)),), ModelLimits(temperature=True), 50, version="v"
    )
    bot = a_bot(temperature=0.2, task="faq")
    terms = terms_of(bot, price)
    assert terms_from_json(terms_to_json(terms)) == terms
    for prompt in (
        BatchPrompt("a", (UserMessage("é"),)),
        BatchPrompt("b", (UserMessage("u"), AssistantMessage("v"), UserMessage("w")), "Rhyme."),
    ):
        line = BatchLine(1, prompt.custom_id, prompt_to_json(prompt), 77)
        assert stored_request(line, CHOICE, terms) == request_of(prompt, CHOICE, terms, 77)
