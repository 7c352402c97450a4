"""The catalogue: names, keys, addresses; SDKs only when they are needed; nothing from the environment."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import UserMessage
from runner.errors import OperatorError
from runner.money.prices import Price, Rates
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Completed
from runner.providers.catalogue import (
    DEFAULT_KEY_VARIABLES,
    MOST_PROVIDERS,
    SHIPPED,
    Catalogue,
    ProviderDefinition,
    define,
)
from runner.providers.echo import EchoProvider
from runner.testing.model_server import ModelServer

ASKED = ModelRequest(ModelChoice("p", "m"), "Be kind.", (UserMessage("Hello?"),))


def catalogue(*definitions: ProviderDefinition) -> Catalogue:
    return Catalogue({d.name: d for d in definitions}, clock=SystemClock(), find_price=lambda *_: None)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    await server.start()
    yield server
    await server.stop()


def test_what_is_shipped() -> None:
    names = ["anthropic", "openai", "gemini", "groq", "openrouter", "workers-ai", "ollama", "custom", "echo"]
    assert list(SHIPPED) == names
    assert all(catalogue().known(name) for name in names)
    assert not catalogue().known("house")
    assert DEFAULT_KEY_VARIABLES["gemini"] == "GEMINI_API_KEY"
    assert set(names) - set(DEFAULT_KEY_VARIABLES) == {"ollama", "custom", "echo"}


def test_who_needs_a_key() -> None:
    needy = {name for name in SHIPPED if catalogue().needs_key(name)}
    assert needy == set(SHIPPED) - {"ollama", "custom", "echo"}
    assert not catalogue(define("groq", api_key=Secret("gsk"))).needs_key("groq")


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (define("openai"), "no API key"),
        (define("custom"), "no base_url"),
        (define("workers-ai", api_key=Secret("cf")), "no account_id"),
        (define("openai", api_key=Secret("sk two\n")), "spaces or unprintable"),
    ],
)
def test_what_is_missing_is_said(definition: ProviderDefinition, says: str) -> None:
    with pytest.raises(OperatorError, match=says) as raised:
        catalogue(definition).get(definition.name)
    assert "sk two" not in str(raised.value)


def test_an_unknown_name() -> None:
    with pytest.raises(OperatorError, match="no provider 'antropic'") as raised:
        catalogue().get("antropic")
    assert "anthropic" in raised.value.hint
    with pytest.raises(OperatorError, match="needs kind and base_url"):
        define("house")


def test_definitions() -> None:
    assert define("workers-ai", account_id="a1").address().endswith("/accounts/a1/ai/v1")
    assert define("openai", base_url="http://proxy/v1/").address() == "http://proxy/v1"
    house = define("house", kind="anthropic", base_url="http://house")
    assert (house.kind, house.needs_key) == ("anthropic", False)
    assert define("openai", kind="anthropic", base_url="http://x").kind == "anthropic"


async def test_one_provider_for_each_key() -> None:
    known = catalogue(define("groq", api_key=Secret("gsk-1")))
    assert known.get("groq") is known.get("groq")
    assert known.get("groq") is known.get("groq", Secret("gsk-1"))
    assert known.get("groq") is not known.get("groq", Secret("gsk-2"))
    assert known.get("echo") is known.get("echo", Secret("any"))
    await known.close()


async def test_keys_of_long_ago_are_forgotten() -> None:
    known = catalogue()
    first = known.get("groq", Secret("gsk-0"))
    for number in range(1, MOST_PROVIDERS + 1):
        assert known.get("groq", Secret("gsk-0")) is first
        known.get("groq", Secret(f"gsk-{number}"))
    assert len(known._providers) == MOST_PROVIDERS
    assert known.get("groq", Secret("gsk-0")) is first
    await known.close()


async def test_another_definition_is_another_provider_and_the_same_one_is_kept() -> None:
    house = ProviderDefinition("house", "openai", base_url="http://127.0.0.1:9/v1", api_key=Secret("one"))
    other = ProviderDefinition("other", "openai", base_url="http://127.0.0.1:9/v1", api_key=Secret("two"))
    shelf = catalogue(house, other)
    before = shelf.get("house"), shelf.get("other"), shelf.get("house", Secret("own"))
    moved = replace(house, base_url="http://127.0.0.1:8/v1")
    shelf.redefine({"house": moved, "other": other})
    after = shelf.get("house"), shelf.get("other"), shelf.get("house", Secret("own"))
    assert [old is new for old, new in zip(before, after, strict=True)] == [False, True, False]
    await shelf.close()


async def test_who_is_taken_out_is_known_to_those_who_began_before() -> None:
    house = ProviderDefinition("house", "openai", base_url="http://127.0.0.1:9/v1", api_key=Secret("one"))
    mine = replace(SHIPPED["openai"], base_url="http://127.0.0.1:9/v1", api_key=Secret("one"))
    shelf = catalogue(house, mine)
    kept = shelf.get("house")
    shelf.redefine({})
    assert shelf.get("house") is kept
    assert shelf.needs_key("openai"), "a shipped one is as it is shipped"
    await shelf.close()


def test_warm_imports_the_sdk_and_echo_needs_none() -> None:
    code = """
import asyncio, sys
from runner.clock import SystemClock
from runner.providers.catalogue import Catalogue
heavy = {"openai", "anthropic", "httpx2", "aiohttp", "pydantic"}
known = Catalogue({}, clock=SystemClock(), find_price=lambda *_: None)
known.get("echo")
asyncio.run(known.warm("echo"))
assert not heavy & set(sys.modules), heavy & set(sys.modules)
asyncio.run(known.warm("openai"))
assert heavy & set(sys.modules) == heavy - {"anthropic"}, heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


AMBIENT = {
    "OPENAI_API_KEY": "sk-ambient",
    "OPENAI_ADMIN_KEY": "sk-ambient",
    "OPENAI_ORG_ID": "org-ambient",
    "OPENAI_PROJECT_ID": "proj-ambient",
    "OPENAI_BASE_URL": "http://ambient.invalid",
    "ANTHROPIC_API_KEY": "sk-ambient",
    "ANTHROPIC_AUTH_TOKEN": "sk-ambient",
    "ANTHROPIC_BASE_URL": "http://ambient.invalid",
}


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("key", [None, Secret("sk-mine")])
async def test_another_server_gets_nothing_from_the_environment(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, kind: str, key: Secret | None
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    house = ProviderDefinition(
        "house", "anthropic" if kind == "anthropic" else "openai", base_url=server.url, api_key=key
    )
    known = catalogue(house)
    provider = known.get("house")
    assert isinstance(await provider.complete(provider.prepare(ASKED), 100, 5.0), Completed)
    await known.close()
    headers = server.requests[0].headers
    assert "ambient" not in repr(headers)
    assert headers["authorization"] == f"Bearer {'none' if key is None else 'sk-mine'}"


async def test_openrouter_asks_for_the_price_of_its_row(server: ModelServer) -> None:
    row = Price("m", "openrouter", Rates(10**12, 2 * 10**12))
    definition = define("openrouter", base_url=f"{server.url}/v1", api_key=Secret("sk"))
    known = Catalogue(
        {"openrouter": definition},
        clock=SystemClock(),
        find_price=lambda provider, model: row if (provider, model) == ("openrouter", "m") else None,
    )
    provider = known.get("openrouter")
    await provider.complete(provider.prepare(ASKED), 100, 5.0)
    await known.close()
    assert server.requests[0].body["provider"] == {"max_price": {"prompt": 1, "completion": 2}}


async def test_closing_closes_what_is_shared(server: ModelServer) -> None:
    known = catalogue(define("openai", base_url=f"{server.url}/v1", api_key=Secret("sk")))
    provider = known.get("openai")
    await provider.complete(provider.prepare(ASKED), 100, 5.0)
    shared = known._connections["openai"]
    await known.close()
    assert shared.is_closed
    assert isinstance(known.get("echo"), EchoProvider)
