"""The made-up prompt cache counts as the published rules say; every figure here is added up by hand.

A text of four bytes a token: `block(500)` is 500 tokens; a message takes 4 more. The smallest prefix is 1,024 tokens.
"""

from typing import Any

import pytest

from runner.money.usage import Usage
from runner.testing.model_checks import BadRequest, message_limit
from runner.testing.prompt_cache import PromptCache, tokens_of

NOW = 1_000_000
MINUTE = 60_000
FIVE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def block(tokens: int, mark: dict[str, str] | None = None, letter: str = "x") -> dict[str, Any]:
    plain = {"type": "text", "text": letter * 4 * tokens}
    return plain if mark is None else {**plain, "cache_control": mark}


def asks(*content: list[dict[str, Any]], system: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    """A request: the contents of user and assistant in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": blocks} for at, blocks in enumerate(content)]
    return {"model": "m", "messages": messages, **({"system": system} if system else {}), **more}


def once(cache: PromptCache, body: Any, now_ms: int = NOW) -> Usage:
    """Ask, and be answered at once."""
    found = cache.messages(body, now_ms)
    cache.keep(found, now_ms)
    return found.usage


def test_tokens_are_four_bytes_begun_ones_whole() -> None:
    assert [tokens_of(text) for text in ("", "a", "abcd", "abcde", "বাংলা")] == [0, 1, 1, 2, 4]


def test_what_is_marked_is_written_then_read_and_only_the_rest_is_plain() -> None:
    cache = PromptCache()
    first = asks([block(100)], system=[block(1100, FIVE)])
    second = asks([block(200)], system=[block(1100, FIVE)])

    assert once(cache, first) == Usage(input_tokens=1204, cache_write_5m_tokens=1100)
    assert once(cache, second) == Usage(input_tokens=1304, cache_read_tokens=1100)


def test_below_the_smallest_prefix_nothing_is_cached_and_nothing_is_said() -> None:
    cache = PromptCache()
    body = asks([block(10)], system=[block(1023, FIVE)])

    assert once(cache, body) == once(cache, body) == Usage(input_tokens=1037)


def test_the_smallest_prefix_is_the_models() -> None:
    cache = PromptCache({"m": 2048, "n": 512}.__getitem__)
    body = asks([block(10)], system=[block(1100, FIVE)])

    assert once(cache, body).cache_write_5m_tokens == 0
    assert once(cache, {**body, "model": "n"}).cache_write_5m_tokens == 1100


def test_another_model_or_another_byte_before_the_mark_finds_nothing() -> None:
    cache = PromptCache()
    once(cache, asks([block(10)], system=[block(1100, FIVE)]))

    assert once(cache, {**asks([block(10)], system=[block(1100, FIVE)]), "model": "n"}).cache_read_tokens == 0
    assert once(cache, asks([block(10)], system=[block(1100, FIVE, "y")])).cache_read_tokens == 0
    tool = {"name": "t", "description": "", "input_schema": {}}
    assert once(cache, asks([block(10)], system=[block(1100, FIVE)], tools=[tool])).cache_read_tokens == 0


def test_a_mark_itself_is_not_part_of_what_is_compared() -> None:
    cache = PromptCache()
    once(cache, asks([block(1100, FIVE)]))
    grown = asks([block(1100)], [block(50)], [block(100, FIVE)])

    assert once(cache, grown) == Usage(
        input_tokens=1104 + 54 + 104, cache_read_tokens=1104, cache_write_5m_tokens=158
    )


@pytest.mark.parametrize(("later_blocks", "read"), [(18, 1104), (19, 0)])
def test_twenty_places_are_looked_at_the_mark_itself_the_first(later_blocks: int, read: int) -> None:
    """Entry at place 0; the mark at place 1 + later_blocks: 20 places back from 19 reach 0, from 20 only 1."""
    cache = PromptCache()
    once(cache, asks([block(1100, FIVE)]))
    far = asks([block(1100), *[block(1, letter="z")] * later_blocks, block(1, FIVE)])

    assert once(cache, far).cache_read_tokens == read


def test_a_second_mark_bridges_what_one_does_not_reach() -> None:
    cache = PromptCache()
    once(cache, asks([block(1100, FIVE)]))
    far = asks([block(1100), *[block(1)] * 10, block(1, FIVE), *[block(1)] * 15, block(1, FIVE)])

    assert once(cache, far) == Usage(input_tokens=1104 + 27, cache_read_tokens=1104, cache_write_5m_tokens=27)


def test_five_minutes_begin_anew_with_each_read() -> None:
    cache = PromptCache()
    body = asks([block(10)], system=[block(1100, FIVE)])
    once(cache, body)

    assert once(cache, body, NOW + 4 * MINUTE).cache_read_tokens == 1100
    assert once(cache, body, NOW + 8 * MINUTE).cache_read_tokens == 1100
    assert once(cache, body, NOW + 13 * MINUTE).cache_read_tokens == 0


def test_an_hour_lives_an_hour_and_is_told_apart() -> None:
    cache = PromptCache()
    body = asks([block(300, FIVE)], system=[block(1100, HOUR)])

    assert once(cache, body) == Usage(
        input_tokens=1404, cache_write_1h_tokens=1100, cache_write_5m_tokens=304
    )
    assert once(cache, body, NOW + 59 * MINUTE) == Usage(
        input_tokens=1404, cache_read_tokens=1100, cache_write_5m_tokens=304
    )
    assert once(cache, body, NOW + 60 * MINUTE).cache_read_tokens == 1404
    assert once(cache, body, NOW + 200 * MINUTE).cache_read_tokens == 0


def test_the_mark_of_the_whole_request_stands_on_its_last_block() -> None:
    cache = PromptCache()
    first = asks([block(1100)], cache_control=FIVE)
    second = asks([block(1100)], [block(50)], [block(100)], cache_control=FIVE)

    assert once(cache, first) == Usage(input_tokens=1104, cache_write_5m_tokens=1104)
    assert once(cache, second).cache_read_tokens == 1104


def test_a_sliding_window_finds_nothing_of_its_messages() -> None:
    """Three messages, then the latest three of five: only a mark behind the system prompt would be found."""
    cache = PromptCache()
    talk = [[block(400, letter=letter)] for letter in "abcde"]
    system = [block(600)]
    once(cache, asks(*talk[:3], system=system, cache_control=FIVE))

    assert once(cache, asks(*talk[2:], system=system, cache_control=FIVE)) == Usage(
        input_tokens=600 + 3 * 404, cache_write_5m_tokens=600 + 3 * 404
    )


def test_nothing_can_be_read_before_the_first_answer_has_begun() -> None:
    cache = PromptCache()
    body = asks([block(1100, FIVE)])
    early = cache.messages(body, NOW)

    assert cache.messages(body, NOW).usage.cache_read_tokens == 0
    cache.keep(early, NOW + 1000)
    assert cache.messages(body, NOW + 2000).usage.cache_read_tokens == 1104


def chat(*texts: str, model: str = "m") -> Any:
    return {"model": model, "messages": [{"role": "user", "content": text} for text in texts]}


def test_chats_are_cached_unasked_from_1024_tokens_in_steps_of_128() -> None:
    """A first message of 1,100 tokens and 4 more; 1,104 is 8 steps of 128 (1,024) and a rest."""
    cache = PromptCache()
    first = cache.chat(chat("x" * 4400), NOW)
    cache.keep(first, NOW)
    second = cache.chat(chat("x" * 4400, "y" * 4000), NOW + MINUTE)

    assert first.usage == Usage(input_tokens=1104)
    assert second.usage == Usage(input_tokens=1104 + 1004, cache_read_tokens=1024)
    cache.keep(second, NOW + MINUTE)
    assert cache.chat(chat("x" * 4400, "y" * 4000), NOW + 2 * MINUTE).usage.cache_read_tokens == 2048


def test_short_chats_are_not_cached_and_long_ones_live_ten_minutes_after_the_last_read() -> None:
    cache = PromptCache()
    for text in ("x" * 4 * 1019, "x" * 4 * 1020):
        cache.keep(cache.chat(chat(text), NOW), NOW)

    assert cache.chat(chat("x" * 4 * 1019), NOW).usage.cache_read_tokens == 0
    assert cache.chat(chat("x" * 4 * 1020), NOW + 9 * MINUTE).usage.cache_read_tokens == 1024
    assert cache.chat(chat("x" * 4 * 1020), NOW + 18 * MINUTE).usage.cache_read_tokens == 1024
    assert cache.chat(chat("x" * 4 * 1020), NOW + 28 * MINUTE).usage.cache_read_tokens == 0


def test_a_model_that_bills_unasked_writes_tells_them() -> None:
    cache = PromptCache(bills_writes=lambda model: model == "new")
    first = cache.chat(chat("x" * 4400, model="new"), NOW)
    cache.keep(first, NOW)

    assert first.usage == Usage(input_tokens=1104, cache_write_5m_tokens=1024)
    again = cache.chat(chat("x" * 4400, "y" * 4000, model="new"), NOW)
    assert again.usage == Usage(input_tokens=2108, cache_read_tokens=1024, cache_write_5m_tokens=1024)


def test_who_speaks_is_part_of_a_chats_prefix() -> None:
    cache = PromptCache()
    cache.keep(cache.chat(chat("x" * 8000), NOW), NOW)
    other = {"model": "m", "messages": [{"role": "system", "content": "x" * 8000}]}

    assert cache.chat(other, NOW).usage.cache_read_tokens == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (asks([block(1, FIVE)] * 5), "at most 4"),
        (asks([block(1, FIVE)] * 4, cache_control=FIVE), "at most 4"),
        (asks([block(1, FIVE), block(1, HOUR)]), "must not come after"),
        (asks([block(1, FIVE)], cache_control=HOUR), "must not come after"),
        (asks([block(1, {"type": "ephemeral", "ttl": "2h"})]), "ttl: 5m or 1h"),
    ],
)
def test_marks_that_the_provider_refuses(body: Any, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        message_limit({**body, "stream": True, "service_tier": "standard_only", "max_tokens": 5})


def test_four_marks_are_taken_the_longer_lives_first() -> None:
    body = asks([block(1, HOUR), block(1, HOUR), block(1, FIVE), block(1)], cache_control=FIVE)

    assert message_limit({**body, "stream": True, "service_tier": "standard_only", "max_tokens": 5}) == 5
