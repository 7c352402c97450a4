"""Which providers there are, and where each comes into being.

Rules: a definition is data; the provider, and with it the vendor's SDK, is made when it is first asked for.
One provider serves everybody who uses the same definition with the same key; a bot's own key gets a
provider of its own, and only the most recently used are kept. Nothing here reads the environment: the names
of the usual variables are data, and whoever reads configuration decides.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from runner.bots import Secret
from runner.clock import Clock
from runner.errors import OperatorError
from runner.ports.batch_server import BatchServer
from runner.ports.provider import Provider
from runner.providers import dialects
from runner.providers.dialects import Dialect, FindPrice
from runner.providers.echo import EchoProvider

if TYPE_CHECKING:
    import httpx2

MOST_PROVIDERS = 256
"""How many are kept at once; the least recently used one goes."""

Kind = Literal["openai", "anthropic", "echo"]
Service = Kind | Literal["transcription"]
"""What a provider is made for: models that talk, by the protocol's name, or speech written down."""


@dataclass(frozen=True, slots=True)
class ProviderDefinition:
    """A provider as configuration describes it.

    Attributes:
        name: what `llm_provider` says.
        kind: the protocol it speaks.
        base_url: where it lives; None: the dialect's own address.
        account_id: fills `{account_id}` in the address (Workers AI).
    """

    name: str
    kind: Kind
    dialect: Dialect = dialects.CUSTOM
    base_url: str | None = None
    api_key: Secret | None = None
    account_id: str | None = None

    @property
    def needs_key(self) -> bool:
        """Whether it answers nobody without a key."""
        return self.kind != "echo" and self.dialect.needs_key

    def address(self) -> str:
        """Where to send requests.

        Raises:
            OperatorError: no address, or no account id where the address needs one.
        """
        address = self.base_url or self.dialect.base_url
        if not address:
            raise OperatorError(
                f"provider {self.name}: no base_url", f"Set providers.{self.name}.base_url in bots.yaml."
            )
        if "{account_id}" in address:
            if not self.account_id:
                raise OperatorError(
                    f"provider {self.name}: no account_id",
                    f"Set providers.{self.name}.account_id in bots.yaml.",
                )
            address = address.replace("{account_id}", self.account_id)
        return address.rstrip("/")


ANTHROPIC = Dialect("https://api.anthropic.com", key_variable="ANTHROPIC_API_KEY")
SHIPPED: Mapping[str, ProviderDefinition] = {
    definition.name: definition
    for definition in (
        ProviderDefinition("anthropic", "anthropic", ANTHROPIC),
        ProviderDefinition("openai", "openai", dialects.OPENAI),
        ProviderDefinition("gemini", "openai", dialects.GEMINI),
        ProviderDefinition("groq", "openai", dialects.GROQ),
        ProviderDefinition("openrouter", "openai", dialects.OPENROUTER),
        ProviderDefinition("workers-ai", "openai", dialects.WORKERS_AI),
        ProviderDefinition("ollama", "openai", dialects.OLLAMA),
        ProviderDefinition("custom", "openai"),
        ProviderDefinition("echo", "echo"),
    )
}
"""The providers that need no definition of one's own; a key, where they need one."""

DEFAULT_KEY_VARIABLES: Mapping[str, str] = {
    name: definition.dialect.key_variable
    for name, definition in SHIPPED.items()
    if definition.dialect.key_variable is not None
}
"""Provider -> the environment variable in which people keep its key."""


def define(
    name: str,
    *,
    kind: Literal["openai", "anthropic"] | None = None,
    base_url: str | None = None,
    api_key: Secret | None = None,
    account_id: str | None = None,
) -> ProviderDefinition:
    """A definition from what an operator wrote: a shipped provider changed, or one of their own.

    Raises:
        OperatorError: a name that is not shipped needs a kind and a base_url.
    """
    shipped = SHIPPED.get(name)
    if shipped is not None and kind in (None, shipped.kind):
        return replace(shipped, base_url=base_url, api_key=api_key, account_id=account_id)
    if kind is None or base_url is None:
        raise OperatorError(
            f"provider {name}: a provider of one's own needs kind and base_url",
            f"Write providers.{name}: {{kind: openai, base_url: https://...}}.",
        )
    return ProviderDefinition(name, kind, base_url=base_url, api_key=api_key, account_id=account_id)


class Catalogue:
    """All providers of one configuration.

    `definitions` join the shipped ones, or replace those of the same name.
    """

    __slots__ = ("_clock", "_connections", "_definitions", "_find_price", "_providers")

    def __init__(
        self, definitions: Mapping[str, ProviderDefinition], *, clock: Clock, find_price: FindPrice
    ) -> None:
        self._definitions = {**SHIPPED, **definitions}
        self._clock = clock
        self._find_price = find_price
        self._connections: dict[Kind, httpx2.AsyncClient] = {}
        self._providers: OrderedDict[tuple[Service, str, Secret | None], Provider] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, for "did you mean"."""
        return tuple(self._definitions)

    def known(self, name: str) -> bool:
        """Whether there is a provider of that name."""
        return name in self._definitions

    def needs_key(self, name: str) -> bool:
        """Whether that provider answers nobody without a key and has none: a bot must bring its own."""
        definition = self._definition(name)
        return definition.needs_key and definition.api_key is None

    def get(self, name: str, key: Secret | None = None) -> Provider:
        """The provider of that name; with `key` the same one on a bot's own key.

        Raises:
            OperatorError: unknown, without a key that it needs, or without an address.
        """
        definition = self._definition(name)
        return self._kept(definition.kind, definition, key)

    def transcriber(self, name: str, key: Secret | None = None) -> Provider:
        """Who writes speech down for that provider; with `key` on a bot's own key.

        Raises:
            OperatorError: as `get`, or a provider that does not write speech down.
        """
        definition = self._definition(name)
        if definition.kind != "openai":
            raise OperatorError(
                f"provider {name} does not write speech down",
                "Name one of kind openai, such as openai or groq.",
            )
        return self._kept("transcription", definition, key)

    def batches(self, name: str, key: Secret | None = None) -> BatchServer | None:
        """Who runs that provider's batches, with `key` on a bot's own key; None: it has no batches.

        Made anew each time: all that it holds is the shared connections.

        Raises:
            OperatorError: as `get`.
        """
        definition = self._definition(name)
        if definition.kind == "anthropic":
            return self._anthropic_batches(definition, self._usable(definition, key))
        if definition.kind == "openai" and definition.dialect.takes_batches:
            return self._openai_batches(definition, self._usable(definition, key))
        return None

    def _kept(self, service: Service, definition: ProviderDefinition, key: Secret | None) -> Provider:
        """The one that was made earlier, or made now."""
        used = self._usable(definition, key)
        place = (service, definition.name, used)
        provider = self._providers.get(place)
        if provider is None:
            provider = self._providers[place] = self._make(service, definition, used)
            if len(self._providers) > MOST_PROVIDERS:
                self._providers.popitem(last=False)
        self._providers.move_to_end(place)
        return provider

    def redefine(self, definitions: Mapping[str, ProviderDefinition]) -> None:
        """From now on these definitions hold. Calls under way end with the provider that they began with.

        A name that is no longer defined is known all the same: a turn that began before may still ask for it.
        """
        fresh = {**self._definitions, **SHIPPED, **definitions}
        kept = [
            (place, provider)
            for place, provider in self._providers.items()
            if self._definitions[place[1]] == fresh[place[1]]
        ]
        self._definitions, self._providers = fresh, OrderedDict(kept)

    async def warm(self, name: str) -> None:
        """Import what this provider needs, off the loop, so that the first message need not wait for it."""
        definition = self._definition(name)
        if definition.kind != "echo":
            await asyncio.to_thread(import_module, f"runner.providers.{definition.kind}")

    async def close(self) -> None:
        """Close every provider."""
        while self._providers:
            _, provider = self._providers.popitem()
            await provider.close()
        while self._connections:
            _, connections = self._connections.popitem()
            await connections.aclose()

    def _definition(self, name: str) -> ProviderDefinition:
        definition = self._definitions.get(name)
        if definition is None:
            raise OperatorError(f"there is no provider {name!r}", f"Known: {', '.join(self._definitions)}.")
        return definition

    def _usable(self, definition: ProviderDefinition, key: Secret | None) -> Secret | None:
        """The key that is used. Raises OperatorError where one is missing, or is none."""
        if definition.kind == "echo":
            return None
        used = key or definition.api_key
        if used is None and definition.needs_key:
            raise OperatorError(
                f"provider {definition.name}: no API key",
                f"Set providers.{definition.name}.api_key in bots.yaml, or the bot's llm_api_key.",
            )
        if used is not None and not _fits_a_header(used.reveal()):
            raise OperatorError(
                f"provider {definition.name}: the API key holds spaces or unprintable characters"
            )
        return used

    def _make(self, service: Service, definition: ProviderDefinition, key: Secret | None) -> Provider:
        if definition.kind == "echo":
            return EchoProvider()
        if service == "transcription":
            return self._make_transcriber(definition, key)
        make = self._make_openai if definition.kind == "openai" else self._make_anthropic
        return make(definition, key)

    def _make_openai(self, definition: ProviderDefinition, key: Secret | None) -> Provider:
        from runner.providers.openai import OpenAIProvider  # noqa: PLC0415 - imports the SDK
        from runner.providers.openai_http import connections  # noqa: PLC0415 - as above

        return OpenAIProvider(
            name=definition.name,
            dialect=definition.dialect,
            base_url=definition.address(),
            key=key,
            clock=self._clock,
            find_price=self._find_price,
            http=self._shared(definition.kind, connections),
        )

    def _make_transcriber(self, definition: ProviderDefinition, key: Secret | None) -> Provider:
        from runner.providers.openai_http import connections  # noqa: PLC0415 - imports the SDK
        from runner.providers.transcription import TranscriptionProvider  # noqa: PLC0415 - as above

        return TranscriptionProvider(
            base_url=definition.address(),
            key=key,
            clock=self._clock,
            http=self._shared(definition.kind, connections),
        )

    def _make_anthropic(self, definition: ProviderDefinition, key: Secret | None) -> Provider:
        from runner.providers.anthropic import AnthropicProvider  # noqa: PLC0415 - imports the SDK
        from runner.providers.anthropic_http import connections  # noqa: PLC0415 - as above

        return AnthropicProvider(
            base_url=definition.address(),
            key=key,
            clock=self._clock,
            http=self._shared(definition.kind, connections),
        )

    def _anthropic_batches(self, definition: ProviderDefinition, key: Secret | None) -> BatchServer:
        from runner.providers.anthropic_batches import AnthropicBatches  # noqa: PLC0415 - imports the SDK
        from runner.providers.anthropic_http import connections  # noqa: PLC0415 - as above

        return AnthropicBatches(
            base_url=definition.address(),
            key=key,
            clock=self._clock,
            http=self._shared(definition.kind, connections),
        )

    def _openai_batches(self, definition: ProviderDefinition, key: Secret | None) -> BatchServer:
        from runner.providers.openai_batches import OpenAIBatches  # noqa: PLC0415 - imports the SDK
        from runner.providers.openai_http import connections  # noqa: PLC0415 - as above

        return OpenAIBatches(
            dialect=definition.dialect,
            base_url=definition.address(),
            key=key,
            clock=self._clock,
            http=self._shared(definition.kind, connections),
        )

    def _shared(self, kind: Kind, make: Callable[[], httpx2.AsyncClient]) -> httpx2.AsyncClient:
        """The connections that all providers of one kind share."""
        if kind not in self._connections:
            self._connections[kind] = make()
        return self._connections[kind]


def _fits_a_header(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and " " not in key
