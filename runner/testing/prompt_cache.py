"""A provider's prompt cache, made up from the published rules: what a request reads, writes and is billed for.

| | Anthropic Messages | Chat Completions |
|---|---|---|
| compared | blocks: tools, system, the messages' content | the prompt, token by token |
| written | at each `cache_control`, at most 4; one at the | every 128 tokens from the smallest |
| | top level marks the last block | prefix on, unasked |
| found | at each mark, or up to 20 blocks counted back | the longest, in steps of 128 tokens |
| lives | 5 minutes or 1 hour since it was last read | 10 minutes since then |
| a write costs | by its life: 5m, 1h | nothing; with some models as 5m |

Rules: a prefix is the model and every byte before, `cache_control` aside; what is shorter than the model's smallest
prefix is not cached, and nobody is told; what a request writes can be read once its answer has begun (`keep`). It
never looks at a clock: each call says what time it is. Tokens are counted, not guessed, so that an example can be
added up by hand: four UTF-8 bytes a token, begun ones whole, in each block, and `PER_MESSAGE` for each message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.money.usage import Usage

Json = Mapping[str, Any]

BYTES_PER_TOKEN = 4
PER_MESSAGE = 4
"""Tokens that a message takes beside its text: who speaks, where it ends."""
LOOK_BACK = 20
"""How many places are looked at from each mark back, itself the first."""
SMALLEST = 1024
STEP = 128
MINUTES_MS = 5 * 60_000
HOUR_MS = 60 * 60_000
UNASKED_MS = 10 * 60_000
MOST_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a prefix may end. `tokens`: of all of it. `life_ms`: of the mark that stands here; None: none does."""

    digest: bytes
    tokens: int
    life_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one request found: its input, told as usage, and what it leaves behind: (prefix, its life)."""

    usage: Usage
    leaves: tuple[tuple[bytes, int], ...] = ()


@dataclass(slots=True)
class _Entry:
    expires_ms: int
    life_ms: int


def _smallest(_: str) -> int:
    return SMALLEST


def _never(_: str) -> bool:
    return False


class PromptCache:
    """What one organisation has in a provider's cache.

    Args:
        smallest: a model's smallest prefix that is cached, tokens.
        bills_writes: whether a model's unasked writes are billed.
    """

    def __init__(
        self, smallest: Callable[[str], int] = _smallest, bills_writes: Callable[[str], bool] = _never
    ) -> None:
        self._smallest = smallest
        self._bills_writes = bills_writes
        self._entries: dict[bytes, _Entry] = {}

    def messages(self, body: Json, now_ms: int) -> Found:
        """What a request to Anthropic Messages finds at that time; what it read lives on."""
        places = places_of(body)
        least = self._smallest(body["model"])
        marks = [at for at, place in enumerate(places) if place.life_ms is not None and place.tokens >= least]
        found = [at for at in (self._back_from(mark, places, now_ms) for mark in marks) if at is not None]
        read = max(found, default=-1)
        hour = max([read, *(mark for mark in marks if places[mark].life_ms == HOUR_MS)])
        last = max([read, *marks])

        def tokens(at: int) -> int:
            return places[at].tokens if at >= 0 else 0

        usage = Usage(
            input_tokens=tokens(len(places) - 1),
            cache_read_tokens=tokens(read),
            cache_write_1h_tokens=tokens(hour) - tokens(read),
            cache_write_5m_tokens=tokens(last) - tokens(hour),
        )
        return Found(usage, tuple((places[mark].digest, places[mark].life_ms or 0) for mark in marks))

    def chat(self, body: Json, now_ms: int) -> Found:
        """What a request to Chat Completions finds at that time; what it read lives on."""
        model = body["model"]
        steps, tokens = steps_of(body)
        first = -(-max(self._smallest(model), STEP) // STEP) - 1
        there = range(first, len(steps))
        read = next((at for at in reversed(there) if self._is_there(steps[at], now_ms)), None)
        cached = 0 if read is None else (read + 1) * STEP
        for at in range(first, first if read is None else read):
            self._is_there(steps[at], now_ms)
        written = len(steps) * STEP - cached if there and self._bills_writes(model) else 0
        usage = Usage(input_tokens=tokens, cache_read_tokens=cached, cache_write_5m_tokens=written)
        return Found(usage, tuple((steps[at], UNASKED_MS) for at in there))

    def keep(self, found: Found, now_ms: int) -> None:
        """The answer to that request has begun: what it wrote can be read from now on."""
        for digest, life_ms in found.leaves:
            entry = self._entries.get(digest)
            if entry is None or entry.expires_ms <= now_ms:
                self._entries[digest] = _Entry(now_ms + life_ms, life_ms)
        if len(self._entries) > MOST_ENTRIES:
            self._entries = {key: entry for key, entry in self._entries.items() if entry.expires_ms > now_ms}

    def _back_from(self, mark: int, places: list[Place], now_ms: int) -> int | None:
        """The nearest place at or before the mark whose prefix is there."""
        nearby = range(mark, max(-1, mark - LOOK_BACK), -1)
        return next((at for at in nearby if self._is_there(places[at].digest, now_ms)), None)

    def _is_there(self, digest: bytes, now_ms: int) -> bool:
        """Whether it can be read; being read, it lives on."""
        entry = self._entries.get(digest)
        if entry is None or entry.expires_ms <= now_ms:
            return False
        entry.expires_ms = now_ms + entry.life_ms
        return True


def tokens_of(text: str) -> int:
    """Four bytes a token, begun ones whole."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def life_ms_of(control: Json | None) -> int | None:
    """How long what a `cache_control` marks lives; None: there is none."""
    if control is None:
        return None
    return HOUR_MS if control.get("ttl") == "1h" else MINUTES_MS


def places_of(body: Json) -> list[Place]:
    """Where a prefix of an Anthropic request may end: behind each block, in the order tools, system, messages."""
    digest = hashlib.sha256(body["model"].encode()).digest()
    tokens = 0
    places = []
    for who, block, more in _blocks(body):
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        written = _json(plain)
        digest = hashlib.sha256(digest + who.encode() + b"\n" + written.encode("utf-8", "replace")).digest()
        tokens += more + tokens_of(plain["text"] if plain.get("type") == "text" else written)
        places.append(Place(digest, tokens, life_ms_of(block.get("cache_control"))))
    own = life_ms_of(body.get("cache_control"))
    if own is not None and places and places[-1].life_ms is None:
        places[-1] = Place(places[-1].digest, places[-1].tokens, own)
    return places


def _blocks(body: Json) -> Iterator[tuple[str, Json, int]]:
    """Each block with who it is of and the tokens that it takes beside its own."""
    for tool in body.get("tools", ()):
        yield "tools", tool, 0
    for block in _listed(body.get("system", ())):
        yield "system", block, 0
    for message in body["messages"]:
        for number, block in enumerate(_listed(message["content"])):
            yield message["role"], block, 0 if number else PER_MESSAGE


def _listed(content: Any) -> Any:  # noqa: ANN401 - what JSON holds there
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def steps_of(body: Json) -> tuple[list[bytes], int]:
    """The digests of a chat's prefixes of 128, 256, … tokens, and how many tokens all of it has."""
    digest = hashlib.sha256(body["model"].encode())
    size = STEP * BYTES_PER_TOKEN
    steps: list[bytes] = []
    done = 0
    for who, text in _pieces(body):
        data = text.encode("utf-8", "replace")
        whole = -(-len(data) // BYTES_PER_TOKEN) * BYTES_PER_TOKEN
        speaker = who.encode().ljust(PER_MESSAGE * BYTES_PER_TOKEN, b"\0") if who else b""
        rest = speaker + data.ljust(whole, b"\0")
        while rest:
            room = size - done % size
            part, rest = rest[:room], rest[room:]
            digest.update(part)
            done += len(part)
            if done % size == 0:
                steps.append(digest.digest())
    return steps, done // BYTES_PER_TOKEN


def _pieces(body: Json) -> Iterator[tuple[str, str]]:
    """What a chat's prompt is made of: who speaks (nobody: a tool is told of), and what."""
    for tool in body.get("tools", ()):
        yield "", _json(tool)
    for message in body["messages"]:
        plain = set(message) <= {"role", "content"} and isinstance(message["content"], str)
        rest = {key: value for key, value in message.items() if key != "role"}
        yield message["role"], message["content"] if plain else _json(rest)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
