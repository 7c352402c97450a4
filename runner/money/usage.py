"""What a call used, as one shape for every provider.

Rule: cached tokens are counted INSIDE `input_tokens`, reasoning tokens inside `output_tokens`, whatever the
provider's own fields do.
"""

from __future__ import annotations

from dataclasses import dataclass


class BadUsage(ValueError):
    """A usage that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call.

    Attributes:
        input_tokens: all of the prompt, cached or not.
        output_tokens: all that was generated, reasoning included.
        cache_read_tokens: part of the input that was read from the provider's cache.
        cache_write_5m_tokens: part of the input written to the cache for 5 minutes (also: written, no TTL given).
        cache_write_1h_tokens: part of the input written to the cache for an hour.
        reasoning_tokens: part of the output that was thinking.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be: negative counts, more cached than there was, more thought than said."""
        counts = (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.reasoning_tokens,
        )
        if min(counts) < 0:
            raise BadUsage(f"negative token count in {counts}")
        if self.plain_input_tokens < 0:
            raise BadUsage("more cached tokens than input tokens")
        if self.reasoning_tokens > self.output_tokens:
            raise BadUsage("more reasoning tokens than output tokens")

    @property
    def plain_input_tokens(self) -> int:
        """Input that was neither read from nor written to a cache."""
        return (
            self.input_tokens
            - self.cache_read_tokens
            - self.cache_write_5m_tokens
            - self.cache_write_1h_tokens
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together: what a quota of tokens counts."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Tokens of two calls together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_5m_tokens + other.cache_write_5m_tokens,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NO_USAGE = Usage()
