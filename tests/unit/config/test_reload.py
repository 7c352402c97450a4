"""What a file that was read again changes, field by field, and what has to wait for a restart."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.telegram.config import Config
from runner.bots import (
    Access,
    BillingMode,
    Bot,
    Channel,
    ConversationRules,
    HttpTool,
    Limits,
    ModelChoice,
    Secret,
    Texts,
)
from runner.config.loader import load
from runner.config.reload import BotChange, Difference, difference, in_force, kept_channels
from runner.config.settings import AlertWebhook, Loaded, ProviderSettings, ServerSettings, Settings
from runner.money.amounts import from_cents
from runner.money.prices import PriceBook
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan
from runner.testing.scenes import a_book, a_bot

TEXT = """
server: {port: 8080}
store: {url: "sqlite:a.db"}
providers: {house: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-one}}
prices: {m: {input: "1", output: "2"}}
defaults: {llm_provider: house, llm_model: m, spending_cap_cents: 100}
bots:
  ada: {platform: telegram, platform_config: {bot_token: "1:one"}, system_prompt: Be kind.}
  eve: {platform: custom, system_prompt: Be brief.}
"""


def telegram(token: str, name: str = "telegram", **more: Any) -> Channel:
    return Channel(name, "telegram", Config.model_validate({"bot_token": token, **more}))


ADA = a_bot("ada", channels=(telegram("1:one"),))
EVE = a_bot("eve", channels=(telegram("2:two"),))


def settings(*bots: Bot, **changes: Any) -> Settings:
    plain = Settings(
        server=ServerSettings(),
        store_url="sqlite:a.db",
        state_dir=Path("/var/lib/botrunner"),
        retention_days=90,
        providers={"house": ProviderSettings("house", "openai", "http://one/v1")},
        prices=PriceBook("default"),
        plans={},
        workspaces={},
        reload=True,
        bots=bots or (ADA, EVE),
    )
    return replace(plain, **changes)


def read(folder: Path, text: str) -> Settings:
    file = folder / "bots.yaml"
    file.write_text(text)
    loaded = load(file, {"BOTRUNNER_STATE": str(folder)})
    assert isinstance(loaded, Loaded), str(loaded)
    return loaded.settings


def test_the_same_again_is_no_difference(tmp_path: Path) -> None:
    one, two = read(tmp_path, TEXT), read(tmp_path, TEXT)
    assert one is not two
    assert difference(one, two) == Difference()
    assert difference(one, two).is_empty


def test_a_default_that_is_written_out_is_no_difference(tmp_path: Path) -> None:
    one = read(tmp_path, TEXT)
    two = read(tmp_path, TEXT.replace('"1:one"', '"1:one", poll_timeout_s: 30, mode: polling'))
    assert difference(one, two).is_empty


def test_bots_come_and_go_in_the_files_order() -> None:
    zoe = a_bot("zoe")
    found = difference(settings(ADA, EVE), settings(zoe, EVE))
    assert (found.added, found.removed, found.changed) == (("zoe",), ("ada",), ())
    assert not found.is_empty


def test_a_disabled_bot_is_none() -> None:
    resting = replace(ADA, enabled=False)
    assert difference(settings(ADA), settings(resting)).removed == ("ada",)
    assert difference(settings(resting), settings(ADA)).added == ("ada",)
    assert difference(settings(resting), settings(replace(resting, name="Other"))).is_empty
    assert difference(settings(resting), settings(EVE)).added == ("eve",)


OTHERWISE: dict[str, Any] = {
    "name": "Other",
    "system_prompt": "Be kinder.",
    "choice": ModelChoice("house", "other"),
    "description": "other",
    "texts": Texts(welcome="Hello"),
    "limits": Limits(timeout_s=1.0),
    "conversations": ConversationRules(max_messages=4),
    "access": Access(deny_users=frozenset({"eve"})),
    "cap": from_cents(7),
    "caps": (Cap(Per.USER, Period.DAY, from_cents(1)),),
    "plan": Plan("starter", 5),
    "billing_mode": BillingMode.BYOK,
    "llm_api_key": Secret("sk-own"),
    "temperature": 0.5,
    "tools": (HttpTool("look", "looks", "GET", "http://127.0.0.1/"),),
    "prompt_cache": "off",
    "rate_limit_per_minute": 1,
    "user_rate_limit_per_minute": 1,
    "expose_usage": True,
    "stream_replies": False,
    "attachments": False,
    "fallbacks": (ModelChoice("house", "other"),),
    "transcription": ModelChoice("house", "ear"),
}
MONEY = {"cap", "caps", "plan", "limits", "billing_mode"}


@pytest.mark.parametrize("field", sorted({each.name for each in fields(Bot)} - {"id", "channels", "enabled"}))
def test_whatever_else_changes_no_connection_is_touched(field: str) -> None:
    value = OTHERWISE.get(field, "other than before")
    other = replace(ADA, **{field: value})
    [change] = difference(settings(ADA), settings(other)).changed
    assert change == BotChange("ada", (field,), ())
    assert change.moves_limits == (field in MONEY)
    assert kept_channels(ADA, other) == {"telegram"}


def test_another_token_is_another_connection() -> None:
    other = replace(ADA, channels=(telegram("1:new"),))
    assert difference(settings(ADA, EVE), settings(other, EVE)).changed == (
        BotChange("ada", ("channels",), ("telegram",)),
    )


def test_only_the_channel_that_changed_is_connected_anew() -> None:
    before = replace(ADA, channels=(telegram("1:one"), telegram("2:two", "telegram2")))
    after = replace(
        ADA, channels=(telegram("1:one"), telegram("2:new", "telegram2"), telegram("3:three", "telegram3"))
    )
    assert difference(settings(before), settings(after)).changed[0].channels == ("telegram2", "telegram3")
    assert difference(settings(after), settings(before)).changed[0].channels == ("telegram2", "telegram3")
    assert kept_channels(before, after) == {"telegram"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prices": a_book()}, ("prices",)),
        ({"providers": {}}, ("providers.house",)),
        (
            {"providers": {"house": ProviderSettings("house", "openai", "http://two/v1")}},
            ("providers.house",),
        ),
        (
            {
                "providers": {
                    "house": ProviderSettings("house", "openai", "http://one/v1"),
                    "groq": ProviderSettings("groq", "openai", api_key=Secret("k")),
                }
            },
            ("providers.groq",),
        ),
        ({"plans": {"starter": Plan("starter", 5)}}, ("plans.starter",)),
        ({"retention_days": 3}, ("store.retention_days",)),
        ({"alerts": AlertWebhook(Secret("https://a"))}, ("alerts",)),
        ({"reload": False}, ("reload",)),
        ({"server": ServerSettings(stop_timeout_s=1.0)}, ("server.stop_timeout_s",)),
    ],
)
def test_what_holds_at_once(changes: dict[str, Any], told: tuple[str, ...]) -> None:
    old, new = settings(), settings(**changes)
    found = difference(old, new)
    assert (found.sections, found.needs_restart, found.changed) == (told, (), ())
    assert in_force(old, new) == new


LATER = [
    ({"server": ServerSettings(port=1)}, "server.port"),
    ({"server": ServerSettings(host="::1")}, "server.host"),
    ({"server": ServerSettings(public_url="https://bots.example.com")}, "server.public_url"),
    ({"server": ServerSettings(jwt_secret=Secret("x"))}, "server.jwt_secret"),
    ({"store_url": "sqlite:b.db"}, "store.url"),
    ({"state_dir": Path("/elsewhere")}, "the state folder"),
]


@pytest.mark.parametrize(("changes", "told"), LATER)
def test_what_waits_for_a_restart(changes: dict[str, Any], told: str) -> None:
    old, new = settings(), settings(**changes)
    found = difference(old, new)
    assert found == Difference(needs_restart=(told,))
    assert found.is_empty, "there is nothing to do"
    assert in_force(old, new) == old
    assert difference(in_force(old, new), new).needs_restart == (told,), "told until it is done"
    assert difference(in_force(old, new), old).needs_restart == (), "or taken back"


def test_of_one_section_some_holds_at_once_and_some_later() -> None:
    old, new = settings(), settings(server=ServerSettings(port=1, stop_timeout_s=2.0), retention_days=3)
    found = difference(old, new)
    assert (found.sections, found.needs_restart) == (
        ("server.stop_timeout_s", "store.retention_days"),
        ("server.port",),
    )
    assert in_force(old, new) == settings(server=ServerSettings(stop_timeout_s=2.0), retention_days=3)


def test_no_value_is_in_a_difference() -> None:
    old = settings(ADA)
    new = settings(
        replace(ADA, channels=(telegram("1:canaryToken"),), llm_api_key=Secret("canaryKey")),
        server=ServerSettings(jwt_secret=Secret("canaryJwt")),
        providers={"house": ProviderSettings("house", "openai", api_key=Secret("canaryKey"))},
    )
    assert "canary" not in repr(difference(old, new))
