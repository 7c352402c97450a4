"""The providers that bots.yaml may name without defining them: what checking a file needs to know of each.

The providers' own room says how they are spoken to; a test holds the two tables together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """One provider.

    Attributes:
        kind: the protocol it speaks.
        key_variable: where its key is looked for when the file gives none.
        needs_key: whether it answers nobody without one.
        needs: further fields of its section that it cannot do without.
    """

    kind: Literal["openai", "anthropic", "echo"]
    key_variable: str | None = None
    needs_key: bool = True
    needs: tuple[str, ...] = ()


PROVIDERS: Mapping[str, KnownProvider] = {
    "anthropic": KnownProvider("anthropic", "ANTHROPIC_API_KEY"),
    "openai": KnownProvider("openai", "OPENAI_API_KEY"),
    "gemini": KnownProvider("openai", "GEMINI_API_KEY"),
    "groq": KnownProvider("openai", "GROQ_API_KEY"),
    "openrouter": KnownProvider("openai", "OPENROUTER_API_KEY"),
    "workers-ai": KnownProvider("openai", "CLOUDFLARE_API_TOKEN", needs=("account_id",)),
    "ollama": KnownProvider("openai", needs_key=False),
    "custom": KnownProvider("openai", needs_key=False, needs=("base_url",)),
    "echo": KnownProvider("echo", needs_key=False),
}
