"""A good file becomes settings with bots."""

import re
from pathlib import Path

import pytest

from runner.bots import (
    Access,
    BillingMode,
    Bot,
    ConversationRules,
    HttpTool,
    Limits,
    ModelChoice,
    Secret,
    Texts,
)
from runner.config.loader import load, parse, state_dir
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import AlertWebhook, Loaded, Settings
from runner.config.starter import starter_text
from runner.money.amounts import from_cents, from_usd
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, WalletTerms

KEYS = {"HOME": "/home/op", "ANTHROPIC_API_KEY": "key-a", "OPENAI_API_KEY": "key-o"}
HELLO = "bots: {hello: {platform: custom, llm_provider: echo, llm_model: echo}}"


def loaded(text: str, environ: dict[str, str] | None = None) -> Loaded:
    result = parse(text, "bots.yaml", Sources(KEYS | (environ or {})))
    assert isinstance(result, Loaded), str(result)
    return result


def settings(text: str, environ: dict[str, str] | None = None) -> Settings:
    return loaded(text, environ).settings


def one_bot(fields: str, top: str = "") -> Bot:
    text = f"{top}\nbots:\n  b:\n    platform: custom\n    llm_provider: echo\n    llm_model: echo\n"
    return settings(text + "".join(f"    {line}\n" for line in fields.splitlines())).bots[0]


def test_the_starter_works_without_token_and_key() -> None:
    result = parse(starter_text(), "bots.yaml", Sources({"HOME": "/home/op"}))
    assert isinstance(result, Loaded)
    assert result.warnings == ()
    (bot,) = result.settings.bots
    assert (bot.id, bot.choice, bot.cap) == ("hello", ModelChoice("echo", "echo"), from_usd("1.00"))
    assert result.settings.server.host == "127.0.0.1"


def test_each_example_of_the_starter_works_when_its_signs_are_taken_away() -> None:
    text = re.sub(r"^  # ", "  ", starter_text(), flags=re.MULTILINE)
    secrets = {"SUPPORT_TOKEN": "123:abcdef", "ORDERS_SECRET": "s", "SHOP_KEY": "k"}
    bots = settings(text, secrets).bots
    assert [bot.id for bot in bots] == ["hello", "support", "orders"]
    assert bots[2].tools[0].name == "get_order"


def test_a_bot_has_the_defaults_of_the_specification() -> None:
    bot = settings("bots: {b: {platform: custom}}").bots[0]
    assert bot == Bot(
        id="b",
        name="b",
        channels=bot.channels,
        system_prompt="",
        choice=ModelChoice("anthropic", "claude-sonnet-4-6"),
        limits=Limits(10, 20, 8192, 30.0, None, 3, 3, 16_000),
        conversations=ConversationRules("user", 24 * 3_600_000, 20, 10, "auto"),
        access=Access(groups="mention"),
        billing_mode=BillingMode.WALLET,
        rate_limit_per_minute=60,
    )
    assert [(channel.name, channel.platform) for channel in bot.channels] == [("custom", "custom")]


def test_all_fields_arrive() -> None:
    bot = one_bot(
        """\
name: Ann
description: helps
enabled: false
system_prompt: Be kind.
welcome_message: Hi
fallback_message: Sorry
spending_cap_message: No money
wallet_empty_message: Empty
quota_message: No tokens
allowance_message: Enough
conversation_cap_message: Too long
llm_config: {temperature: 0.3}
spending_cap_cents: 250
max_cost_cents_per_message: 2
max_loop_iterations: 3
max_tool_calls: 4
max_tokens_per_turn: 512
max_tool_result_chars: 1000
same_call_limit: 2
failing_calls_limit: 5
timeout_ms: 1500
conversation_scope: channel
conversation_max_messages: 9
conversation_ttl_hours: 0.5
context: sliding
fallbacks: [openai/gpt-4o-mini]
prompt_cache: 1h
rate_limit_per_minute: 7
user_rate_limit_per_minute: 3
access: {allow_users: [12, ann], deny_users: [bob], groups: all}
expose_usage: true"""
    )
    assert (bot.name, bot.description, bot.enabled, bot.system_prompt) == ("Ann", "helps", False, "Be kind.")
    assert bot.texts == Texts("Hi", "Sorry", "No money", "Empty", "No tokens", "Enough", "Too long")
    assert (bot.temperature, bot.cap) == (0.3, from_cents(250))
    assert bot.limits == Limits(3, 4, 512, 1.5, from_cents(2), 2, 5, 1000)
    assert bot.conversations == ConversationRules("channel", 1_800_000, 9, 4, "sliding")
    assert bot.fallbacks == (ModelChoice("openai", "gpt-4o-mini"),)
    assert (bot.prompt_cache, bot.rate_limit_per_minute, bot.user_rate_limit_per_minute) == ("1h", 7, 3)
    assert bot.access == Access(frozenset({"12", "ann"}), frozenset({"bob"}), "all")
    assert bot.expose_usage is True


def test_a_cap_of_null_is_no_cap_and_a_cap_of_zero_is_one() -> None:
    assert one_bot("spending_cap_cents: null", "defaults: {spending_cap_cents: 5}").cap is None
    assert one_bot("spending_cap_cents: 0").cap == 0


def test_a_rate_of_null_is_none_and_no_rate_is_the_default_of_the_platform() -> None:
    assert one_bot("rate_limit_per_minute: null").rate_limit_per_minute is None
    assert one_bot("").rate_limit_per_minute == 60


def test_defaults_lie_under_each_bot() -> None:
    top = "defaults: {timeout_ms: 1000, access: {groups: all, deny_users: [x]}, llm_config: {temperature: 1}}"
    bot = one_bot("access: {groups: 'off'}\nmax_tool_calls: 1", top)
    assert (bot.limits.timeout_s, bot.limits.max_tool_calls) == (1.0, 1)
    assert bot.access == Access(frozenset(), frozenset({"x"}), "off")
    assert bot.temperature == 1.0


def test_a_tool_is_read() -> None:
    (tool,) = one_bot(
        "tools:\n  - {name: look_up, description: d, url: 'https://x/{n}', headers: {A: b}, timeout_ms: 500}"
    ).tools
    assert tool == HttpTool(
        "look_up",
        "d",
        "GET",
        "https://x/{n}",
        {"type": "object", "properties": {}},
        {"A": Secret("b")},
        timeout_s=0.5,
    )


def test_several_channels_have_names_of_their_own() -> None:
    text = """
bots:
  b:
    llm_provider: echo
    llm_model: echo
    channels:
      - {platform: telegram, platform_config: {bot_token: "1:abc"}}
      - {platform: custom}
      - {platform: telegram, platform_config: {bot_token: "2:abc"}}
"""
    assert [channel.name for channel in settings(text).bots[0].channels] == [
        "telegram",
        "custom",
        "telegram2",
    ]


def test_keys_come_from_the_file_or_from_their_usual_variables() -> None:
    text = "providers: {openai: {api_key: mine}, house: {kind: openai, base_url: 'http://h/v1'}}\n"
    text += "bots: {a: {platform: custom}, b: {platform: custom, llm_provider: house, llm_model: m}}"
    providers = settings(text).providers
    assert providers["openai"].api_key == Secret("mine")
    assert providers["anthropic"].api_key == Secret("key-a")
    assert (providers["house"].kind, providers["house"].base_url) == ("openai", "http://h/v1")
    assert providers["house"].api_key is None


def test_a_bot_with_its_own_key_needs_no_other() -> None:
    text = "bots: {b: {platform: custom, llm_provider: groq, llm_model: llama-3.3-70b-versatile"
    bot = settings(text + ", billing_mode: byok, llm_api_key: own}}").bots[0]
    assert (bot.billing_mode, bot.llm_api_key) == (BillingMode.BYOK, Secret("own"))


def test_prices_of_the_operator_join_the_book() -> None:
    text = 'prices: {my-model: {input: "0.10", output: "0.40"}}\nproviders: {house: {kind: openai, base_url: "http://h"}}\n'
    text += "bots: {b: {platform: custom, llm_provider: house, llm_model: my-model, spending_cap_cents: 5}}"
    price = settings(text).prices.find("house", "my-model")
    assert price is not None
    assert price.rates.output == from_usd("0.40")


def test_the_seed_book_can_be_chosen() -> None:
    default = settings(HELLO).prices.find("anthropic", "claude-haiku-4-5")
    seed = settings(f"price_book: seed\n{HELLO}").prices.find("anthropic", "claude-haiku-4-5")
    assert default is not None
    assert seed is not None
    assert (default.rates.input, seed.rates.input) == (from_usd("1"), from_usd("0.80"))


def test_the_rest_of_the_file_is_kept() -> None:
    text = """
server: {host: localhost, port: 0, public_url: "https://bots.example.com", jwt_secret: j, stop_timeout_s: 3}
store: {url: "sqlite:x.db", retention_days: 30}
plans: {starter: {monthly_tokens: 1000000, monthly_cents: 500}}
wallet: {hard_limit_cents: -200, soft_limit_cents: 500}
workspaces: {shop: {servers: {orders: {url: "http://127.0.0.1:9000/mcp", tools: [get_order]}}}}
alerts: {webhook: "https://example.com/x", secret: sixteen-letters-}
reload: off
"""
    result = loaded(text + HELLO)
    found = result.settings
    assert (found.server.host, found.server.port, found.server.stop_timeout_s) == ("localhost", 0, 3.0)
    assert found.server.jwt_secret == Secret("j")
    assert (found.store_url, found.retention_days, found.reload) == ("sqlite:x.db", 30, False)
    assert found.plans == {"starter": Plan("starter", 1_000_000, from_cents(500))}
    assert found.workspaces["shop"].servers[0].tools == ("get_order",)
    assert found.wallet == WalletTerms(from_cents(-200), from_cents(500))
    assert found.alerts == AlertWebhook(Secret("https://example.com/x"), Secret("sixteen-letters-"))
    assert [warning.path for warning in result.warnings] == ["server.jwt_secret"]


def test_what_the_file_does_not_say_of_money_is_not_there() -> None:
    found = settings(HELLO)
    assert (found.plans, found.wallet, found.alerts) == ({}, None, None)
    assert (found.bots[0].caps, found.bots[0].plan) == ((), None)
    assert settings(f"wallet: {{}}\n{HELLO}").wallet == WalletTerms()


def test_each_cap_arrives_with_its_exceptions() -> None:
    bot = one_bot(
        """\
caps:
  bot: {day_cents: 200, month_cents: 2000}
  user: {cents: 500, day_cents: 20, except: {"42": {day_cents: 500}, 7: {month_cents: 9, cents: null}, boss: null}}
  conversation: {cents: 100}
  message: {cents: 5}
  team: {month_cents: 5000}"""
    )
    forever, day, month = Period.LIFETIME, Period.DAY, Period.MONTH
    assert set_of(bot.caps) == set_of(
        (
            Cap(Per.BOT, day, from_cents(200)),
            Cap(Per.BOT, month, from_cents(2000)),
            Cap(Per.USER, forever, from_cents(500), {"7": None, "boss": None}),
            Cap(Per.USER, day, from_cents(20), {"42": from_cents(500), "boss": None}),
            Cap(Per.USER, month, None, {"7": from_cents(9), "boss": None}),
            Cap(Per.CONVERSATION, forever, from_cents(100)),
            Cap(Per.MESSAGE, forever, from_cents(5)),
            Cap(Per.TEAM, month, from_cents(5000)),
        )
    )


def set_of(caps: tuple[Cap, ...]) -> set[str]:
    assert len({(cap.per, cap.period) for cap in caps}) == len(caps)
    return {repr(cap) for cap in caps}


def test_an_exception_without_a_limit_needs_none() -> None:
    assert one_bot("caps: {user: {except: {boss: null}}}").caps == ()


def test_caps_lie_on_those_of_the_defaults() -> None:
    top = "defaults: {caps: {user: {cents: 5}, message: {cents: 2}, bot: {day_cents: 9}}}"
    bot = one_bot("caps: {user: {day_cents: 1}, message: null}", top)
    assert set_of(bot.caps) == set_of(
        (
            Cap(Per.BOT, Period.DAY, from_cents(9)),
            Cap(Per.USER, Period.DAY, from_cents(1)),
        )
    )


def test_several_bots_are_on_one_plan() -> None:
    text = """
plans: {small: {monthly_tokens: 1000}, large: {monthly_cents: 500}}
defaults: {platform: custom, llm_provider: echo, llm_model: echo, billing_mode: plan_quota, plan: small}
bots: {a: {}, b: {}, c: {plan: large}}
"""
    bots = settings(text).bots
    assert [bot.plan for bot in bots] == [
        Plan("small", 1000),
        Plan("small", 1000),
        Plan("large", None, from_cents(500)),
    ]
    assert {bot.billing_mode for bot in bots} == {BillingMode.PLAN_QUOTA}


def test_anchors_merge_keys_and_extensions_work() -> None:
    text = """
x-common: &common {llm_provider: echo, llm_model: echo, platform: custom, timeout_ms: 100}
x-more: &more {timeout_ms: 200, description: more}
bots:
  a: *common
  b: {<<: *common, timeout_ms: 300}
  c: {<<: [*common, *more]}
"""
    bots = settings(text).bots
    assert [bot.limits.timeout_s for bot in bots] == [0.1, 0.3, 0.1]
    assert bots[2].description == "more"


def test_yaml_is_read_as_yaml_1_2() -> None:
    bot = one_bot("name: 'no'\naccess: {groups: off}\nsystem_prompt: 2026-01-01\nmax_tool_calls: 0x10")
    assert (bot.name, bot.access.groups, bot.system_prompt, bot.limits.max_tool_calls) == (
        "no",
        "off",
        "2026-01-01",
        16,
    )


def test_no_secret_shows_in_the_settings() -> None:
    text = """
server: {jwt_secret: hush-1}
providers: {openai: {api_key: hush-2}}
workspaces: {w: {servers: {s: {command: s, env: {A: hush-3}}, t: {url: "http://hush-9", headers: {B: hush-4}}}}}
alerts: {webhook: "https://hush-5"}
bots:
  b:
    platform: custom
    platform_config: {secret: hush-6}
    billing_mode: byok
    llm_api_key: hush-7
    tools: [{name: t, description: d, url: "http://x", headers: {C: hush-8}}]
"""
    assert "hush" not in repr(loaded(text))


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BOTRUNNER_STATE": "/a", "STATE_DIRECTORY": "/b", "HOME": "/c"}, "/a"),
        ({"STATE_DIRECTORY": "/b:/d", "HOME": "/c"}, "/b"),
        ({"HOME": "/c"}, "/c/.local/state/botrunner"),
    ],
)
def test_the_state_folder(environ: dict[str, str], folder: str) -> None:
    assert state_dir(environ) == Path(folder)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    missing = load(tmp_path / "bots.yaml", {})
    assert str(missing) == f"{tmp_path}/bots.yaml: cannot be read: No such file or directory"
    (tmp_path / "latin.yaml").write_bytes(b"bots: \xe9")
    latin = load(tmp_path / "latin.yaml", {})
    assert isinstance(latin, Problems)
    assert "UTF-8" in latin.problems[0].message


def test_a_file_is_loaded_with_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be kind.\n", encoding="utf-8")
    file = tmp_path / "bots.yaml"
    file.write_text(HELLO.replace("echo}", "echo, system_prompt: '${file:prompt.txt}'}"), encoding="utf-8")
    result = load(file, {"HOME": "/home/op"})
    assert isinstance(result, Loaded)
    assert result.settings.bots[0].system_prompt == "Be kind."
