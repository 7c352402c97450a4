"""Whatever is wrong with a file is told all at once, at the right lines, in words that help."""

import pytest

from adapters import registry
from runner.config.loader import parse
from runner.config.problems import Problems, one_of
from runner.config.secrets import Sources
from runner.config.settings import Loaded

ENVIRON = {"HOME": "/home/op", "OPENAI_API_KEY": "key-o"}
BOT = "bots:\n  b:\n    platform: custom\n    llm_provider: echo\n    llm_model: echo\n"
"""A good bot; whatever a test adds to it starts in line 6."""


def found(text: str, environ: dict[str, str] | None = None) -> list[str]:
    result = parse(text, "bots.yaml", Sources(ENVIRON | (environ or {})))
    return str(result).splitlines() if isinstance(result, Problems) else []


def warned(text: str) -> list[str]:
    result = parse(text, "bots.yaml", Sources(ENVIRON))
    assert isinstance(result, Loaded), str(result)
    return [str(warning) for warning in result.warnings]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("llm_modle: x", "llm_modle: unknown field, did you mean llm_model?"),
        ("zzz: 1", "zzz: unknown field"),
        ("name: 7", "name: must be text (put it in quotes)"),
        ("name: ''", "name: must not be empty"),
        ("description: [a]", "description: must be text"),
        ("description:", "description: must not be empty; leave it out for its default"),
        ("enabled: maybe", "enabled: must be true or false"),
        ("timeout_ms: 0", "timeout_ms: must be a whole number from 1 to 60000"),
        ("timeout_ms: 60001", "timeout_ms: must be a whole number from 1 to 60000"),
        ("timeout_ms: 1.5", "timeout_ms: must be a whole number from 1 to 60000"),
        ("timeout_ms: true", "timeout_ms: must be a whole number from 1 to 60000"),
        ("spending_cap_cents: -1", "spending_cap_cents: must be a whole number from 0 to 900000000"),
        ("spending_cap_cents: 5.00", "spending_cap_cents: must be a whole number from 0 to 900000000"),
        (
            f"spending_cap_cents: {'9' * 5000}",
            "spending_cap_cents: must be a whole number from 0 to 900000000",
        ),
        ("conversation_max_messages: 1", "conversation_max_messages: must be a whole number from 2 to 10000"),
        ("conversation_ttl_hours: 0", "conversation_ttl_hours: must be a number above 0, at most 87600"),
        ("conversation_ttl_hours: .inf", "conversation_ttl_hours: must be a number"),
        ("llm_config: {temperature: 3}", "llm_config.temperature: must be a number at least 0, at most 2"),
        ("access: {groups: some}", "access.groups: must be mention, all or off"),
        ("access: {grups: all}", "access.grups: unknown field, did you mean groups?"),
        ("access: [a]", "access: must be a mapping (name: value)"),
        ("tools: x", "tools: must be a list"),
        ("tools: [{name: a, url: 'http://x'}]", "tools[0].description: required"),
        (
            "tools: [{name: a b, description: d, url: 'http://x'}]",
            "tools[0].name: must be 1 to 64 letters, digits, _ or -",
        ),
        (
            "tools: [{name: a, description: d, url: 'ftp://x'}]",
            "tools[0].url: must be a URL that starts with http:// or https://",
        ),
        (
            "tools: [{name: a, description: d, url: 'http://x', parameters: {type: string}}]",
            "tools[0].parameters: must be a JSON schema of type: object",
        ),
        ("fallbacks: [gpt-4o]", "fallbacks[0]: must be provider/model, such as openai/gpt-4o-mini"),
        ("platform_config: {secrt: x}", "platform_config.secrt: unknown field, did you mean secret?"),
        (
            "platform_config: {secret: ' '}",
            "platform_config.secret: must not be blank; leave it out to serve this machine only",
        ),
        ("channels: []", "channels: must not be empty"),
        (
            "channels: [{platform: custom}]",
            "channels: takes the place of platform and platform_config: give only one",
        ),
        ("billing_mode: cash", "billing_mode: must be wallet, byok or plan_quota"),
        ("billing_mode: byok", "billing_mode: byok needs the bot's own llm_api_key"),
        ("plan: gold", "plan: there is no plan 'gold' under plans:"),
        ("workspace_id: shop", "workspace_id: there is no workspace 'shop' under workspaces:"),
        ("workflow_enabled: true", "workflow_enabled: needs workflow or workflow_json"),
        ("team: {a: b}", "team.a: there is no bot 'a'"),
        ("team: {b: me}", "team.b: a bot is no member of its own team"),
        ("team: [{bot: b2, for: x}]", "team[0]: there is no bot 'b2', did you mean b?"),
        ("team: [{bot: c}]", "team[0].for: required"),
        ("team: {c: 1}", "team.c: must be text (put it in quotes)"),
        ("team: {c: ''}", "team.c: must not be empty"),
        ("team: nobody", "team: must be a list"),
        (
            "conversation_keep_messages: 30",
            "conversation_keep_messages: must not be more than conversation_max_messages (20)",
        ),
    ],
)
def test_a_faulty_field_of_a_bot(line: str, problem: str) -> None:
    assert found(f"{BOT}    {line}\n") == [f"bots.yaml:6: bots.b.{problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("servr: {}", "servr: unknown field, did you mean server?"),
        ("server: {port: 70000}", "server.port: must be a whole number from 0 to 65535"),
        (
            "server: {public_url: bots.example.com}",
            "server.public_url: must be a URL that starts with http:// or https://",
        ),
        ("store: {retention_days: 3}", "store.retention_days: must be a whole number from 8 to 36500"),
        (
            "providers: {house: {base_url: 'http://h'}}",
            "providers.house.kind: required for a provider of your own",
        ),
        (
            "providers: {house: {kind: openai}}",
            "providers.house.base_url: required for a provider of your own",
        ),
        (
            "providers: {groq: {kind: anthropic}}",
            "providers.groq.kind: groq is of kind openai; name your own provider differently",
        ),
        ("price_book: cheap", "price_book: must be default or seed"),
        ("prices: {m: {input: '1', output: '-1'}}", "prices.m.output: a price is never below zero"),
        ("plans: {p: {monthly_tokens: -1}}", "plans.p.monthly_tokens: must be a whole number of at least 0"),
        (
            "workspaces: {w: {servers: {s: {urll: x}}}}",
            "workspaces.w.servers.s.urll: unknown field, did you mean url?",
        ),
        ("defaults: {timeout_ms: x}", "defaults.timeout_ms: must be a whole number from 1 to 60000"),
        ("defaults: {name: x}", "defaults.name: belongs to a single bot, not to the defaults"),
        ("defaults: [x]", "defaults: must be a mapping (name: value)"),
    ],
)
def test_a_faulty_section(line: str, problem: str) -> None:
    assert found(f"{BOT}{line}\n") == [f"bots.yaml:6: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "bots.yaml:1: bots: required"),
        ("bots:", "bots.yaml:1: bots: must not be empty; leave it out for its default"),
        ("bots: {}", "bots.yaml:1: bots: must not be empty"),
        ("- a", "bots.yaml:1: must be a mapping (name: value)"),
        ("bots:\n  b: [1]", "bots.yaml:2: bots.b: must be a mapping (name: value)"),
        (
            "bots:\n  b: {llm_provider: echo}",
            f"bots.yaml:2: bots.b.platform: required: {one_of(registry.platforms())}",
        ),
        (
            "bots: [1",
            "bots.yaml:1: not valid YAML: while parsing a flow sequence: expected ',' or ']', but got '<stream end>'",
        ),
        ("bots: {b: *x}", "bots.yaml:1: not valid YAML: found undefined alias 'x'"),
        (
            "a: 1\n---\nb: 2",
            "bots.yaml:2: not valid YAML: expected a single document in the stream: but found another document",
        ),
        ("bots: !!python/object:os.system {}", "bots.yaml:1: bots: must not be empty"),
    ],
)
def test_a_file_that_is_hardly_one(text: str, problem: str) -> None:
    assert found(text) == [problem]


def test_a_key_that_is_there_twice_is_told_with_both_lines() -> None:
    assert found(f"{BOT}    name: a\n    name: b\n") == [
        "bots.yaml:7: bots.b.name: is there twice, in lines 6 and 7"
    ]
    assert found(BOT + BOT.removeprefix("bots:\n")) == [
        "bots.yaml:6: bots.b: is there twice, in lines 2 and 6"
    ]


def test_everything_is_told_at_once_and_by_line() -> None:
    text = """\
server: {port: x}
defaults: {timeout_ms: 0}
bots:
  b:
    platform: custm
    llm_provider: ecko
    max_tool_calls: -1
  c:
    platform: telegram
    platform_config: {bot_token: nonsense, mod: polling}
    llm_provider: echo
    llm_model: echoo
    spending_cap_cents: 5
  d: {platform: matrix, llm_provider: groq, llm_model: llama-3.3-70b-versatile}
"""
    problems = found(text)
    places = [":".join(line.split(":")[1:3]) for line in problems if line.startswith("bots.yaml")]
    assert places == [
        "1: server.port",
        "2: defaults.timeout_ms",
        "5: bots.b.platform",
        "6: bots.b.llm_provider",
        "7: bots.b.max_tool_calls",
        "10: bots.c.platform_config.bot_token",
        "10: bots.c.platform_config.mod",
        "12: bots.c.llm_model",
        "14: bots.d.llm_provider",
        "14: bots.d.platform",
    ]


def test_a_fault_in_the_defaults_is_told_once() -> None:
    text = "defaults: {platform: custom, llm_provider: echo, llm_model: echo, max_tool_calls: x}\nbots: {a: {}, b: {}}"
    assert found(text) == ["bots.yaml:1: defaults.max_tool_calls: must be a whole number from 0 to 1000"]


def test_a_value_of_the_defaults_is_told_at_its_own_line() -> None:
    text = "defaults:\n  platform: custm\nbots:\n  a: {llm_provider: echo, llm_model: echo}\n"
    assert found(text) == ["bots.yaml:2: bots.a.platform: unknown platform 'custm', did you mean custom?"]


def test_a_mistyped_field_does_not_lead_to_more_complaints() -> None:
    assert found("bots:\n  b:\n    platform: custom\n    llm_provder: echo\n") == [
        "bots.yaml:4: bots.b.llm_provder: unknown field, did you mean llm_provider?"
    ]


# ------------------------------------------------------------------------------------ money and keys


def test_an_unpriced_model_is_refused_with_the_lines_to_add() -> None:
    text = "providers: {house: {kind: openai, base_url: 'http://h'}}\n"
    text += "bots:\n  b:\n    platform: custom\n    llm_provider: house\n    llm_model: my-model\n"
    limits = "    spending_cap_cents: 0\n"
    expected = (
        "bots.yaml:6: bots.b.llm_model: bot b limits what it spends, but the model my-model of house has no price."
        " Add it, in US dollars per million tokens:\n"
        "    prices:\n"
        '      my-model: {input: "…", output: "…"}'
    )
    assert "\n".join(found(text + limits)) == expected
    assert len(found(f"{text}    max_cost_cents_per_message: 1\n")) == 3
    assert found(text + limits + 'prices:\n  my-model: {input: "0.1", output: "0.2"}\n') == []
    (warning,) = warned(text)
    assert "is not counted" in warning


def test_a_nearly_right_model_is_guessed() -> None:
    text = (
        "bots:\n  b: {platform: custom, llm_provider: openai, llm_model: gpt4o-mini, spending_cap_cents: 1}"
    )
    assert "Did you mean gpt-4o-mini?" in found(text)[0]


def test_a_fallback_needs_a_key_and_a_price_too() -> None:
    text = f"{BOT}    spending_cap_cents: 1\n    fallbacks: [openai/gpt-99, groq/llama-3.3-70b-versatile, nobody/m]\n"
    lines = found(text)
    assert all(
        line.startswith("bots.yaml:7: bots.b.fallbacks: ") for line in lines if line.startswith("bots")
    )
    told = "\n".join(lines)
    assert "gpt-99 of openai has no price" in told
    assert "bot b needs a key for groq: set the environment variable GROQ_API_KEY" in told
    assert "unknown provider 'nobody'" in told


def test_a_missing_key_names_the_bot_and_the_variable() -> None:
    text = "bots:\n  shop: {platform: custom}\n"
    assert found(text) == [
        (
            "bots.yaml:2: bots.shop.llm_provider: bot shop needs a key for anthropic:"
            " set the environment variable ANTHROPIC_API_KEY or providers.anthropic.api_key"
        )
    ]
    assert found(text, {"ANTHROPIC_API_KEY": "k"}) == []
    assert found(text + "providers: {anthropic: {api_key: k}}") == []
    assert found(text.replace("custom", "custom, enabled: false")) == []


@pytest.mark.parametrize(("provider", "field"), [("workers-ai", "account_id"), ("custom", "base_url")])
def test_a_provider_that_lacks_something_is_told(provider: str, field: str) -> None:
    text = f"bots:\n  b: {{platform: custom, llm_provider: {provider}, llm_model: m}}\n"
    environ = {"CLOUDFLARE_API_TOKEN": "k"}
    assert found(text, environ) == [
        f"bots.yaml:2: bots.b.llm_provider: bot b needs providers.{provider}.{field}"
    ]
    assert found(f"{text}providers: {{{provider}: {{{field}: 'http://x'}}}}", environ) == []


# ---------------------------------------------------------------------------------- platforms, hosts


def test_a_bot_without_a_secret_is_refused_where_others_can_reach_it() -> None:
    for host in ("0.0.0.0", "'::'", "bots.example.com", "192.168.1.5"):
        lines = found(f"{BOT}server: {{host: {host}}}")
        assert [line.split(": ")[1] for line in lines] == ["bots.b.platform_config.secret"]
        assert found(f"{BOT}    platform_config: {{secret: s}}\nserver: {{host: {host}}}") == []
    for host in ("127.0.0.1", "localhost", "'::1'", "127.8.8.8"):
        assert found(f"{BOT}server: {{host: {host}}}") == []


def test_two_bots_on_one_token_are_refused_unless_one_rests() -> None:
    text = """\
defaults: {llm_provider: echo, llm_model: echo}
bots:
  a: {platform: telegram, platform_config: {bot_token: "77:one"}}
  b:
    platform: telegram
    platform_config: {bot_token: "77:two"}
"""
    assert found(text) == [
        (
            "bots.yaml:6: bots.b.platform_config: the same telegram token as in bots.a.platform_config:"
            " each connection needs its own"
        )
    ]
    assert found(f"{text}    enabled: false\n") == []


def test_a_bad_id_is_refused() -> None:
    for name in ("Shop", "-a", "a.b", "a" * 64, "''"):
        lines = found(BOT.replace("  b:", f"  {name}:"))
        assert len(lines) == 1
        assert lines[0].startswith("bots.yaml:2: bots.")


def test_two_tools_of_one_name_are_refused() -> None:
    tool = "{name: t, description: d, url: 'http://x'}"
    assert found(f"{BOT}    tools:\n      - {tool}\n      - {tool}\n") == [
        "bots.yaml:8: bots.b.tools[1].name: two tools of bot b are called t"
    ]


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("llm_api_key: k", "llm_api_key: is not used: a bot's own key is used with billing_mode: byok only"),
    ],
)
def test_what_would_do_nothing_is_warned_of(line: str, warning: str) -> None:
    assert warned(f"{BOT}    {line}\n") == [f"bots.yaml:6: bots.b.{warning}"]


def test_a_temperature_that_the_model_does_not_take_is_warned_of() -> None:
    text = "bots:\n  b: {platform: custom, llm_provider: openai, llm_model: o1, llm_config: {temperature: 1}}"
    assert warned(text) == ["bots.yaml:2: bots.b.llm_config: is not sent: the model o1 takes no temperature"]


# --------------------------------------------------------------------------------- hostile YAML


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert found("\n".join(lines)) == ["bots.yaml: aliases make this file too deep or too large"]


def test_an_alias_of_itself_is_refused() -> None:
    assert found("bots: &b {x: *b}") == ["bots.yaml: aliases make this file too deep or too large"]


def test_depth_is_bounded() -> None:
    assert len(found("[" * 500)) == 1
