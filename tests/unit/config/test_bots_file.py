"""Bots come, change and go from outside: the file says what was asked for, the secrets are elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.config.edit_bots import BotsFile
from runner.config.loader import load
from runner.config.secret_store import SecretStore
from runner.config.settings import Loaded
from runner.ports.definitions import Conflict, Faulty, Outcome, Unapplied, Written

FILE = """\
# the shop's bots
defaults: {llm_provider: echo, llm_model: echo, spending_cap_cents: 100}

bots:
  shop:   # sells
    name: Shop
    platform: custom
    system_prompt: "costs ${PRICE:-5}"   # told
    access: {groups: all}   # loud
    platform_config: {secret: "${SHOP_SECRET}"}

  tele:
    platform: telegram   # polls
    platform_config:
      bot_token: ${TELE}
      # how
      poll_timeout_s: 20
"""
ENVIRON = {"SHOP_SECRET": "the-shops-own", "TELE": "1:aaa", "ANTHROPIC_API_KEY": "sk-ant"}
NEW = {"name": "New", "platform": "custom", "system_prompt": "You help."}


class World:
    """A file, a store of secrets, and a note of each time that it was put in force."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bots.yaml"
        self.path.write_text(FILE, encoding="utf-8")
        self.secrets = SecretStore(folder / "state", ENVIRON)
        self.applied = 0
        self.problems: Sequence[str] = ()
        self.file = BotsFile(self.path, ENVIRON, self.secrets, self.apply)

    async def apply(self) -> Sequence[str]:
        self.applied += 1
        return self.problems

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def loaded(self) -> Any:
        found = load(self.path, ENVIRON, self.secrets)
        assert isinstance(found, Loaded), str(found)
        return found.settings


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def fields_of(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Faulty), outcome
    return [fault.field for fault in outcome.faults]


async def test_a_new_bot_stands_behind_the_others(world: World) -> None:
    fields = {**NEW, "system_prompt": "You help.\nBriefly.\n", "access": {"deny_users": ["7"]}}
    assert await world.file.create("new", fields) == Written()
    assert world.text == FILE + (
        "\n  new:\n    name: New\n    platform: custom\n    system_prompt: |\n      You help.\n      Briefly.\n"
        '    access:\n      deny_users: ["7"]\n'
    )
    assert world.loaded().bot("new").system_prompt == "You help.\nBriefly.\n"
    assert world.applied == 1


async def test_a_secret_goes_to_the_store_and_never_comes_back(world: World) -> None:
    key = "sk-$${own}-key"
    fields: dict[str, Any] = {
        **NEW,
        "billing_mode": "byok",
        "llm_provider": "openai",
        "llm_model": "gpt-4o",
        "llm_api_key": key,
    }
    fields["platform_config"] = {"secret": "s3cret"}
    fields["tools"] = [
        {"name": "t", "description": "d", "url": "https://x.example/", "headers": {"X-Key": "header-key"}}
    ]
    assert await world.file.create("new", fields) == Written()
    for secret in (key, "s3cret", "header-key"):
        assert secret not in world.text
        assert secret not in json.dumps(await world.file.fields("new"))
    assert world.secrets.names() == [
        "new.llm_api_key",
        "new.platform_config.secret",
        "new.tools.0.headers.X-Key",
    ]
    bot = world.loaded().bot("new")
    assert bot.llm_api_key.reveal() == key
    assert bot.channels[0].config.secret.get_secret_value() == "s3cret"
    assert bot.tools[0].headers["X-Key"].reveal() == "header-key"
    assert 'llm_api_key: "${secret:new.llm_api_key}"' in world.text


async def test_a_change_keeps_what_it_does_not_name(world: World) -> None:
    assert (
        await world.file.change("shop", {"max_loop_iterations": 3, "access": {"deny_users": ["x"]}})
        == Written()
    )
    expected = FILE.replace("    name: Shop\n", "    name: Shop\n    max_loop_iterations: 3\n")
    assert world.text == expected.replace("{groups: all}", "{deny_users: [x], groups: all}")
    assert await world.file.change("tele", {"platform_config": {"poll_timeout_s": 7}}) == Written()
    assert "      # how\n      poll_timeout_s: 7\n" in world.text
    assert world.loaded().bot("tele").channels[0].config.bot_token.get_secret_value() == "1:aaa"


async def test_null_takes_away_and_where_it_means_none_says_so(world: World) -> None:
    assert await world.file.change("shop", {"spending_cap_cents": None, "llm_model": None}) == Written()
    assert "    spending_cap_cents: null\n" in world.text
    assert world.loaded().bot("shop").cap is None
    await world.file.change("shop", {"access": {"groups": None}, "rate_limit_per_minute": None})
    assert world.loaded().bot("shop").access.groups == "mention"
    assert world.loaded().bot("shop").rate_limit_per_minute is None
    assert (await world.file.fields("shop") or {})["rate_limit_per_minute"] is None
    assert await world.file.change("shop", {"access": None}) == Written()
    assert "access" not in world.text
    assert "# loud" in world.text


async def test_what_was_shown_can_be_sent_back(world: World) -> None:
    for bot in ("shop", "tele"):
        shown = await world.file.fields(bot)
        assert shown is not None
        own = {key: shown[key] for key in ("system_prompt", "platform_config", "name") if key in shown}
        assert await world.file.change(bot, {**own, "name": bot.upper()}) == Written()
    assert '"costs ${PRICE:-5}"   # told' in world.text
    assert '{secret: "${SHOP_SECRET}"}' in world.text
    assert "bot_token: ${TELE}" in world.text
    assert world.secrets.names() == []


async def test_fields_are_told_with_their_defaults_and_without_secrets(world: World) -> None:
    shop = await world.file.fields("shop")
    assert shop is not None
    assert shop["platform_config"] == {"secret": "***"}
    assert (shop["spending_cap_cents"], shop["timeout_ms"], shop["llm_api_key"]) == (100, 30_000, None)
    assert shop["access"] == {"allow_users": [], "deny_users": [], "groups": "all"}
    assert shop["system_prompt"] == "costs ${PRICE:-5}"
    assert (await world.file.fields("tele") or {})["platform_config"]["bot_token"] == "***"
    assert await world.file.fields("nobody") is None


async def test_texts_from_outside_are_literal(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("of the machine", encoding="utf-8")
    for text in (
        "${file:other}",
        "${PRICE}",
        "$$",
        "$${x}",
        "a $ b",
        "$",
        "${",
        "${secret:shop.x}",
        "$$$${}",
    ):
        assert await world.file.change("shop", {"system_prompt": text}) == Written()
        assert world.loaded().bot("shop").system_prompt == text
        assert (await world.file.fields("shop") or {})["system_prompt"] == text or "${" in text


async def test_routing_is_patched_part_by_part_and_turned_off_by_a_word(world: World) -> None:
    tiers = {"small": "echo/echo", "strong": {"model": "echo/echo"}}
    whole = {"tiers": tiers, "rules": [{"users": [7], "tier": "strong"}], "tasks": {"faq": "small"}}
    assert (
        await world.file.change("shop", {"routing": whole, "response_cache": {"ttl_minutes": 5}}) == Written()
    )
    assert await world.file.change(
        "shop", {"routing": {"default": "strong", "tiers": {"spare": "echo/echo"}}}
    ) == (Written(("routing.tiers.spare: nobody reaches it: no rule, task or escalation names it",)))
    routing = world.loaded().bot("shop").routing
    assert ([tier.name for tier in routing.tiers], routing.default) == (
        ["small", "strong", "spare"],
        "strong",
    )
    shown = await world.file.fields("shop") or {}
    assert (shown["routing"]["rules"], shown["response_cache"]) == (
        [{"users": [7], "tier": "strong"}],
        {"ttl_minutes": 5},
    )
    assert await world.file.change("shop", {"routing": "off", "response_cache": False}) == Written()
    bot = world.loaded().bot("shop")
    assert (bot.routing, bot.response_cache) == (None, None)
    assert await world.file.change("shop", {"routing": None, "response_cache": None}) == Written()
    assert "routing" not in world.text


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"llm_modle": "x"}, ["llm_modle"]),
        ({"routing": {"tiers": {"a": "echo/echo"}, "default": "b"}}, ["routing.default"]),
        ({"routing": {"tiers": {"a": "echo/echo"}, "sticky": "true"}}, ["routing.sticky"]),
        ({"routing": 5, "response_cache": "5"}, ["response_cache", "routing"]),
        ({"timeout_ms": "5"}, ["timeout_ms"]),
        (
            {"timeout_ms": 0, "enabled": "yes", "tools": [{"name": "t"}]},
            ["enabled", "timeout_ms", "tools[0]", "tools[0]"],
        ),
        ({"access": {"groups": "some"}}, ["access.groups"]),
        ({"access": {"groups": "all", "deny": []}}, ["access.deny"]),
        ({"llm_api_key": "***"}, ["llm_api_key"]),
        ({"llm_api_key": 7}, ["llm_api_key"]),
        ({"llm_api_key": "k" * 65_537}, ["llm_api_key"]),
        ({"name": "\ud800"}, ["name"]),
        ({"workspace_id": "no"}, ["workspace_id"]),
        ({"platform": "telegraph"}, ["platform"]),
        ({"platform_config": {"secert": "the-shops-other"}}, ["platform_config.secert"]),
        ({"spending_cap_cents": 1.5}, ["spending_cap_cents"]),
        ({"": 1, "x y": {}}, ["", "x y"]),
    ],
)
async def test_all_faults_at_once_and_nothing_is_written(world: World, patch: Any, fields: list[str]) -> None:
    outcome = await world.file.change("shop", patch)
    assert isinstance(outcome, Faulty)
    told = {fault.field for fault in outcome.faults}
    assert {field for field in fields if not any(one.startswith(field) for one in told)} == set()
    assert "the-shops-other" not in str(outcome)
    assert world.text == FILE
    assert world.secrets.names() == []
    assert world.applied == 0


async def test_what_a_new_bot_must_have(world: World) -> None:
    assert fields_of(await world.file.create("new", {})) == ["name", "system_prompt", "platform"]
    assert fields_of(await world.file.create("New!", NEW)) == ["id"]
    assert isinstance(await world.file.create("shop", NEW), Conflict)
    assert world.text == FILE


async def test_a_workspace_that_is_new_is_made_with_its_bot(world: World) -> None:
    outcome = await world.file.create("new", {**NEW, "workspace_id": "..."})
    assert isinstance(outcome, Written)
    assert outcome.warnings == ("workspace_id: the workspace '...' is new and has no tool servers",)
    assert world.text.endswith('workspace_id: "..."\n\nworkspaces:\n  "...": {}\n')
    assert isinstance(await world.file.create("more", {**NEW, "workspace_id": "b"}), Written)
    assert world.text.endswith('  "...": {}\n  b: {}\n')


async def test_a_bot_goes_with_its_secrets(world: World) -> None:
    await world.file.create("new", {**NEW, "platform_config": {"secret": "one"}})
    await world.file.change("tele", {"platform_config": {"bot_token": "2:bbb"}})
    assert world.secrets.names() == ["new.platform_config.secret", "tele.platform_config.bot_token"]
    assert await world.file.remove("new") == Written()
    assert world.secrets.names() == ["tele.platform_config.bot_token"]
    assert world.text == FILE.replace("${TELE}", '"${secret:tele.platform_config.bot_token}"')
    assert await world.file.remove("tele") == Written()
    assert world.secrets.names() == []
    assert isinstance(await world.file.remove("tele"), Conflict)
    assert fields_of(await world.file.remove("shop")) == ["bots"]


async def test_a_secret_is_replaced_in_place_and_never_anothers(world: World) -> None:
    world.secrets.set("shop.llm_api_key", "somebody-elses")
    await world.file.change("shop", {"llm_api_key": "mine"})
    await world.file.change("shop", {"llm_api_key": "mine-2"})
    assert world.secrets.lookup("shop.llm_api_key") == "somebody-elses"
    assert world.secrets.lookup("shop.llm_api_key-2") == "mine-2"
    await world.file.change("shop", {"llm_api_key": None})
    assert world.secrets.names() == ["shop.llm_api_key"]


async def test_a_file_that_cannot_be_written_keeps_the_secrets_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.file.change("shop", {"llm_api_key": "first"})
    before = world.text

    def meanwhile(name: str, text: str, kept: Any = world.secrets.set) -> None:
        kept(name, text)
        if text == "second":
            world.path.write_text(before + "# mine\n", encoding="utf-8")

    monkeypatch.setattr(world.secrets, "set", meanwhile, raising=False)
    outcome = await world.file.change("shop", {"llm_api_key": "second"})
    assert isinstance(outcome, Conflict)
    assert "changed by somebody else" in outcome.why
    assert world.secrets.lookup("shop.llm_api_key") == "first"
    assert world.text == before + "# mine\n"


async def test_a_read_only_file_is_a_conflict(world: World) -> None:
    world.path.chmod(0o444)
    outcome = await world.file.change("shop", {"name": "x"})
    assert isinstance(outcome, Conflict)
    assert "read-only" in outcome.why


@pytest.mark.parametrize("text", ["bots: [", "", "bots: {}\n", FILE + "  bad: {platform: x}\n"])
async def test_a_file_that_has_faults_is_mended_first(world: World, text: str) -> None:
    world.path.write_text(text, encoding="utf-8")
    outcome = await world.file.change("shop", {"name": "x"})
    assert isinstance(outcome, Conflict), outcome
    assert world.text == text
    world.path.unlink()
    assert isinstance(await world.file.change("shop", {"name": "x"}), Conflict)
    assert await world.file.fields("shop") is None


async def test_what_cannot_be_put_in_force_is_told(world: World) -> None:
    world.problems = ("shop: no adapter",)
    assert await world.file.change("shop", {"name": "x"}) == Unapplied(("shop: no adapter",))


async def test_the_same_again_leaves_the_file_alone(world: World) -> None:
    stamp = world.path.stat().st_ino
    assert await world.file.change("shop", {"name": "Shop"}) == Written()
    assert world.path.stat().st_ino == stamp
    assert world.applied == 1


def test_the_schema_has_no_references(world: World) -> None:
    made = world.file.schema()
    assert "\\\\$\\\\{" not in json.dumps(made)
    assert set(made) >= {"BotSection", "ToolSection", "telegram"}
    assert made["BotSection"]["properties"]["spending_cap_cents"]["anyOf"] == [
        {"type": "integer", "minimum": 0, "maximum": 900_000_000},
        {"type": "null"},
    ]
