"""The most that a call can cost, known before it is made.

Rules (measured in docs/decisions/token-bound.md): a tokenizer never makes more tokens than the text has
UTF-8 bytes, in the form it was sent or in the form it is normalised to (NFC or NFKC), whichever is longest;
each message and the request itself add a few of their own. The output is bounded by the limit that is always
sent. Everything is priced at the dearest that could apply. Too high costs a moment's wait; too low would break
the promise.

A recording is bounded by its length: its row is priced by the second, and seconds stand where tokens stand
elsewhere. Text is never held against such a row, nor a recording against a row of tokens.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from runner.money.amounts import Money, ceil_div
from runner.money.prices import TOKENS_PER_RATE, CacheWrites, Price

TOKENS_PER_MESSAGE = 16
TOKENS_PER_REQUEST = 64
TOKENS_FOR_ANTHROPIC_TOOLS = 1024
OUTPUT_FLOOR = 256
OUTPUT_FLOOR_THINKING = 1024


@dataclass(frozen=True, slots=True)
class RequestSize:
    """What of a request counts for its bound.

    Attributes:
        text: the serialised request as it goes over the wire, not ASCII-escaped.
        messages: how many messages it has, the system prompt included.
        images: how many images.
        anthropic_tools: whether Anthropic tool definitions are sent (their hidden prompt counts).
        cache_writes: what the request lets the provider write to its cache.
        audio_seconds: how long its recording is at most, in whole seconds; 0: it has none.
    """

    text: str
    messages: int
    images: int = 0
    anthropic_tools: bool = False
    cache_writes: CacheWrites = CacheWrites.NONE
    audio_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """An upper bound of one call.

    Attributes:
        input_tokens: no tokenizer makes more of this request; for a recording its seconds.
        output_tokens: the output limit wanted, within what the model takes.
        floor_tokens: the smallest output limit that is still worth a call.
        input_cost: the dearest that the input can be.
        output_rate: pico-dollars per million output tokens, the dearest that can apply.
    """

    input_tokens: int
    output_tokens: int
    floor_tokens: int
    input_cost: Money
    output_rate: int

    def amount(self, output_tokens: int) -> Money:
        """The bound with that output limit."""
        return Money(self.input_cost + ceil_div(output_tokens * self.output_rate, TOKENS_PER_RATE))

    def tokens(self, output_tokens: int) -> int:
        """The most tokens, input and output together, with that output limit."""
        return self.input_tokens + output_tokens

    def affordable_output(self, available: Money) -> int:
        """The largest output limit whose bound is within `available`, up to the one wanted; may be negative."""
        left = available - self.input_cost
        if self.output_rate == 0:
            return self.output_tokens if left >= 0 else -1
        return min(self.output_tokens, left * TOKENS_PER_RATE // self.output_rate)


class Unbounded(ValueError):
    """The model's row has no bound for what this request holds."""


class ImagesRefused(Unbounded):
    """The row has no bound for an image."""


class WrongMeasure(Unbounded):
    """A recording for a row that is priced by the token, or text for one that is priced by the second."""


def longest_form(text: str) -> int:
    """How many UTF-8 bytes the text has, in the longest of the forms that a tokenizer may see."""
    if text.isascii():
        return len(text)
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)


def input_bound(size: RequestSize, price: Price) -> int:
    """The most input tokens that this request can be.

    Raises:
        ImagesRefused: it has images and the model's row has no bound for one.
        WrongMeasure: one of them is about seconds and the other about tokens.
    """
    least = price.limits.min_audio_seconds
    if (least is None) != (size.audio_seconds == 0):
        raise WrongMeasure(f"{price.model}: the price book has no bound for {_content(size)}")
    if least is not None:
        return max(size.audio_seconds, least)
    bound = longest_form(size.text) + TOKENS_PER_MESSAGE * size.messages + TOKENS_PER_REQUEST
    if size.anthropic_tools:
        bound += TOKENS_FOR_ANTHROPIC_TOOLS
    if size.images:
        if price.limits.image_tokens is None:
            raise ImagesRefused(f"{price.model}: the price book has no bound for an image")
        bound += size.images * price.limits.image_tokens
    return bound


def estimate(size: RequestSize, price: Price, wanted_output: int) -> Estimate:
    """Bound one call before it is made.

    Raises:
        Unbounded: see `input_bound`.
    """
    tokens = input_bound(size, price)
    most = price.limits.max_output_tokens
    output = wanted_output if most is None else min(wanted_output, most)
    floor = OUTPUT_FLOOR_THINKING if price.limits.thinks else OUTPUT_FLOOR
    rates = price.dearest_for(tokens, size.cache_writes)
    return Estimate(
        input_tokens=tokens,
        output_tokens=output,
        floor_tokens=min(floor, output),
        input_cost=Money(ceil_div(tokens * rates.input, TOKENS_PER_RATE)),
        output_rate=rates.output,
    )


def _content(size: RequestSize) -> str:
    return "a recording" if size.audio_seconds else "a text"
