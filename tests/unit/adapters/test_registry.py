"""The registry, the configs, and what a process shares."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.http import Backoff, Shared
from adapters.registry import UnknownPlatform, capabilities, config_model
from adapters.signatures import is_signed, same, sha256_hex
from adapters.telegram.config import Config as TelegramConfig
from adapters.testing.timer import QuickTimer

ROOT = Path(__file__).resolve().parents[3]


def test_an_unknown_platform_is_a_key_error_with_its_name() -> None:
    for ask in (config_model, capabilities):
        with pytest.raises(UnknownPlatform, match="telegramm"):
            ask("telegramm")


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_checking_a_config_loads_no_platform_and_no_network() -> None:
    code = (
        "import sys; from adapters import registry\n"
        "for name in registry.platforms(): registry.config_model(name); registry.capabilities(name)\n"
        "print([name for name in ('telegram', 'aiohttp', 'httpx') if name in sys.modules])"
    )
    assert in_a_fresh_process(code) == "[]"


def test_the_telegram_library_comes_without_a_command_line_and_leaves_it_usable() -> None:
    code = (
        "import sys; import adapters.telegram.adapter\n"
        "print([name for name in ('rich', 'click', 'pygments', 'httpx._main') if name in sys.modules])\n"
        "import httpx._main, httpx; print(callable(httpx._main.main))"
    )
    assert in_a_fresh_process(code) == "[]\nTrue"


@pytest.mark.parametrize(
    ("platform", "raw", "field"),
    [
        ("telegram", {}, "bot_token"),
        ("telegram", {"bot_token": "not-a-token-SEEN"}, "bot_token"),
        ("telegram", {"bot_token": "1:SEEN abc"}, "bot_token"),
        ("telegram", {"bot_token": "1:abcdef", "webhook_secret": "SEEN it"}, "webhook_secret"),
        ("telegram", {"bot_token": "1:abcdef", "poll_timeout_s": 0}, "poll_timeout_s"),
        ("telegram", {"bot_token": "1:abcdef", "api_base_url": "ftp://x"}, "api_base_url"),
        ("telegram", {"bot_token": "1:abcdef", "api_base_url": "https://SEEN:pw@x"}, "api_base_url"),
        ("telegram", {"bot_token": "1:abcdef", "tokn": "SEEN"}, "tokn"),
        ("custom", {"secret": "  "}, "secret"),
        ("custom", {"reply_url": "https://example.org"}, "reply_url"),
        ("custom", {"answer_timeout_s": 0}, "answer_timeout_s"),
        ("custom", {"token": "SEEN"}, "token"),
    ],
)
def test_a_faulty_config_names_the_field_and_never_the_value(
    platform: str, raw: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        config_model(platform).model_validate(raw)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
    assert "SEEN" not in str(caught.value)


def test_a_good_config_hides_its_token() -> None:
    config = TelegramConfig.model_validate(
        {"bot_token": " 42:AAsecret ", "api_base_url": "http://127.0.0.1:81/"}
    )
    assert config.bot_token.get_secret_value() == "42:AAsecret"
    assert (config.account, config.api_base_url) == ("42", "http://127.0.0.1:81")
    assert "AAsecret" not in f"{config!r} {config} {config.model_dump_json()}"


def test_pauses_double_up_to_the_limit_and_start_anew() -> None:
    longest = Backoff(lambda: 1.0, first_s=1, most_s=60)
    assert [longest.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    longest.reset()
    assert longest.next_s() == 1
    assert Backoff(lambda: 0.0, first_s=1).next_s() == 0.5
    assert all(longest.next_s() <= 60 for _ in range(2000))


async def test_a_process_has_one_session_and_can_have_another_after_it_is_closed() -> None:
    shared = Shared(QuickTimer(), lambda: "id")
    await shared.close()
    first = shared.session
    assert shared.session is first
    await shared.close()
    assert first.closed
    assert shared.session is not first
    assert 0 <= shared.chance() < 1
    await shared.close()
    await asyncio.sleep(0)  # noqa: TID251 - lets the closed transports go


def test_signatures() -> None:
    body = b'{"a": 1}'
    good = sha256_hex("key", body)
    assert is_signed("key", body, f"sha256={good}")
    assert is_signed("key", body, good.upper())
    assert not is_signed("key", body + b" ", good)
    assert not is_signed("other", body, good)
    assert not is_signed("key", body, "ünïcode")
    assert not is_signed("key", body, "")
    assert same("é", "é")
    assert not same("\udcff", "\udcff")


async def test_a_bots_view_shares_the_session_and_knows_its_address() -> None:
    shared = Shared(QuickTimer(), lambda: "id", public_url="https://bots.example.org/")
    one = shared.for_bot("shop")
    try:
        assert one.session is shared.session
        assert one.webhook_url("telegram") == "https://bots.example.org/api/bots/webhook/telegram/shop"
        assert shared.webhook_url("telegram") is None
        assert Shared(QuickTimer(), lambda: "id").for_bot("shop").webhook_url("telegram") is None
        await shared.close()
        assert one.session is shared.session
    finally:
        await shared.close()
