"""Which conversation a message belongs to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.conversations.identity import LONGEST, ConversationKey, is_over, key_of

PART = st.text(alphabet="ab|%/é 7C", max_size=4)
KEYS = st.builds(ConversationKey, PART, PART, PART, st.none() | PART)


@given(KEYS, KEYS)
def test_texts_are_equal_exactly_when_the_keys_are(one: ConversationKey, other: ConversationKey) -> None:
    assert (one.text == other.text) is (one == other)


@given(KEYS)
def test_a_key_is_plain_text(key: ConversationKey) -> None:
    assert key.text.isascii()
    assert " " not in key.text


def test_a_very_long_key_has_a_name_of_bounded_length_that_nobody_else_can_have() -> None:
    long = ConversationKey("b", "c", "\N{BRAIN}" * 256, "\N{BRAIN}" * 256)
    assert len(long.text) == LONGEST
    assert long.text.startswith("b|c|")
    assert long.text == replace(long).text
    assert long.text != replace(long, user="\N{BRAIN}" * 255 + "x").text
    assert ConversationKey("b", "c", long.text.removeprefix("b|c|"), None).text != long.text


def test_one_for_each_user_or_one_for_all() -> None:
    assert key_of("b", "chat", "c/1", "ada", "user").text == "b|chat|c%2F1|ada"
    assert key_of("b", "chat", "c/1", "ada", "channel").text == "b|chat|c%2F1"
    assert key_of("b", "chat", "c", "ada", "channel") == key_of("b", "chat", "c", "bob", "channel")
    assert key_of("b", "chat", "c", "ada", "user") != key_of("b", "chat", "c", "bob", "user")


@pytest.mark.parametrize(
    ("last", "now", "over"), [(0, 100, False), (0, 101, True), (500, 100, False), (100, 100, False)]
)
def test_idle_for_longer_than_its_time(last: int, now: int, *, over: bool) -> None:
    assert is_over(last, now, ttl_ms=100) is over
