"""Connections that platforms post to: the file has to say where."""

import pytest

from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources

HOOK = "{bot_token: '77:one', mode: webhook}"
OTHER = "{bot_token: '78:two', mode: webhook}"


def told(text: str) -> list[str]:
    result = parse(text, "bots.yaml", Sources({"HOME": "/home/op"}))
    return str(result).splitlines() if isinstance(result, Problems) else [str(w) for w in result.warnings]


def bots(channels: str, server: str = "", more: str = "") -> str:
    return (
        f"server: {{{server}}}\nbots:\n  b:\n    llm_provider: echo\n    llm_model: echo\n{more}{channels}\n"
    )


def one(config: str) -> str:
    return f"    platform: telegram\n    platform_config: {config}"


def test_a_webhook_needs_a_public_address() -> None:
    (problem,) = told(bots(one(HOOK)))
    assert problem == (
        "bots.yaml:7: bots.b.platform_config.mode: bot b needs server.public_url: telegram posts its messages there"
    )


@pytest.mark.parametrize(
    "text",
    [
        bots(one(HOOK), "public_url: 'https://bots.example.org'"),
        bots(one("{bot_token: '77:one'}")),
        bots(one(HOOK), more="    enabled: false\n"),
    ],
)
def test_where_nothing_is_missing_nothing_is_said(text: str) -> None:
    assert told(text) == []


def test_an_address_without_tls_is_warned_of() -> None:
    (warning,) = told(bots(one(HOOK), "public_url: 'http://bots.example.org'"))
    assert "telegram posts to https addresses only" in warning


def test_two_webhooks_of_a_bot_would_get_each_others_posts() -> None:
    channels = "    channels:\n" + "".join(
        f"    - {{platform: telegram, platform_config: {config}}}\n" for config in (HOOK, OTHER)
    )
    (problem,) = told(bots(channels, "public_url: 'https://bots.example.org'"))
    assert problem.startswith(
        "bots.yaml:8: bots.b.channels[1].platform_config.mode: a bot can have one telegram"
    )
