"""How OpenAI-compatible servers differ, as data.

Rule: a server gets only fields that it knows; the output limit goes into the field that it honours. A
server that nobody described speaks `CUSTOM`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.money.prices import Price

FindPrice = Callable[[str, str], Price | None]
"""The row of a provider and model: `PriceBook.find`."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One server's ways.

    Attributes:
        base_url: where it lives; `{account_id}` is filled in. Empty: it has no address of its own.
        limit_field: the field whose output limit it honours.
        key_variable: the environment variable in which people keep its key.
        needs_key: whether it answers nobody without one.
        pins_tier: whether `service_tier: default` is sent, so that no dearer tier is taken.
        caps_price: whether `provider.max_price` is sent, from the model's row of the price book.
        tells_charge: whether `usage.cost` is what the call cost, in dollars.
        output_by_total: whether thinking may be missing from `completion_tokens`, so that the output is
            what `total_tokens` leaves beside the prompt.
        marks_cache: whether what is to be cached is marked in the messages, for models that bill such writes.
        takes_batches: whether it has OpenAI's batches, or may have them.
        cuts: whether it may ignore the output limit, so that the stream is cut here.
    """

    base_url: str = ""
    limit_field: str = "max_tokens"
    key_variable: str | None = None
    needs_key: bool = True
    pins_tier: bool = False
    caps_price: bool = False
    tells_charge: bool = False
    output_by_total: bool = False
    marks_cache: bool = False
    takes_batches: bool = False
    cuts: bool = False


OPENAI = Dialect(
    "https://api.openai.com/v1",
    "max_completion_tokens",
    key_variable="OPENAI_API_KEY",
    pins_tier=True,
    takes_batches=True,
)
GEMINI = Dialect(
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "max_completion_tokens",
    key_variable="GEMINI_API_KEY",
    output_by_total=True,
)
GROQ = Dialect("https://api.groq.com/openai/v1", "max_completion_tokens", key_variable="GROQ_API_KEY")
OPENROUTER = Dialect(
    "https://openrouter.ai/api/v1",
    key_variable="OPENROUTER_API_KEY",
    caps_price=True,
    tells_charge=True,
    marks_cache=True,
)
WORKERS_AI = Dialect(
    "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1", key_variable="CLOUDFLARE_API_TOKEN"
)
OLLAMA = Dialect("http://127.0.0.1:11434/v1", needs_key=False, cuts=True)
CUSTOM = Dialect(needs_key=False, takes_batches=True)
