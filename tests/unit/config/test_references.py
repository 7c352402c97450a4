"""Values that the file only points at: found, missing, and never shown."""

from pathlib import Path

import pytest

from runner.config.loader import load, parse
from runner.config.problems import HIDDEN, Problems
from runner.config.secrets import Secrets, SecretsUnreadable, Sources
from runner.config.settings import Loaded

BOT = "bots: {{b: {{platform: custom, llm_provider: echo, llm_model: echo, system_prompt: {}}}}}"


class Kept:
    """A store of secrets with these in it."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets

    def lookup(self, name: str) -> str | None:
        if name == "locked":
            raise SecretsUnreadable("it was encrypted with another key")
        return self.secrets.get(name)


def prompt(text: str, environ: dict[str, str] | None = None, secrets: Secrets | None = None) -> str:
    """What a prompt written like this becomes; where that fails, the problem."""
    sources = Sources({"HOME": "/h"} | (environ or {}), secrets=secrets or Kept())
    result = parse(BOT.format(text), "bots.yaml", sources)
    return result.settings.bots[0].system_prompt if isinstance(result, Loaded) else str(result)


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-[x], y}", {}, "[x], y"),
        ("'say ${A} and ${B}'", {"A": "x", "B": "y"}, "say x and y"),
        ("'${A}'", {"A": "${B}", "B": "no"}, "${B}"),
        ("'${A}'", {"A": "$$"}, "$$"),
        ("'${A:-dflt}'", {}, "dflt"),
        ("'${A:-dflt}'", {"A": ""}, "dflt"),
        ("'${A:-}'", {}, ""),
        ("'${A:-http://x:1/y}'", {}, "http://x:1/y"),
        ("'${A}'", {"A": ""}, ""),
        ("'$${A} costs $$5'", {}, "${A} costs $5"),
        ("'just $5, $x and $'", {}, "just $5, $x and $"),
    ],
)
def test_a_reference_is_followed(written: str, environ: dict[str, str], value: str) -> None:
    assert prompt(written, environ) == value


def test_a_reference_needs_no_quotes_inside_braces() -> None:
    text = "bots: {b: {platform: telegram, platform_config: {bot_token: ${T}}, llm_provider: ${P:-echo}, "
    text += "llm_model: echo}}"
    result = parse(text, "bots.yaml", Sources({"HOME": "/h", "T": "1:abc"}))
    assert isinstance(result, Loaded), str(result)
    assert result.settings.bots[0].channels[0].config.bot_token.get_secret_value() == "1:abc"


def test_private_characters_stay_as_they_are() -> None:
    assert prompt("'\ue000 ${A}'", {"A": "x"}) == "\ue000 x"


def test_numbers_and_switches_may_come_from_the_environment() -> None:
    text = BOT.format("x, timeout_ms: '${T}', enabled: '${E}', spending_cap_cents: '${C:-250}'")
    result = parse(text, "bots.yaml", Sources({"HOME": "/h", "T": "1500", "E": "false"}))
    assert isinstance(result, Loaded)
    bot = result.settings.bots[0]
    assert (bot.limits.timeout_s, bot.enabled, bot.cap) == (1.5, False, 250 * 10**10)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("'${NOPE}'", "the environment variable NOPE is not set"),
        ("'${a b}'", "${a b} is no reference; for a dollar sign write $$"),
        ("'${}'", "${} is no reference; for a dollar sign write $$"),
        ("'${file:/no/such/file}'", "the file /no/such/file cannot be read: No such file or directory"),
        ("'${credential:jwt}'", "the credential jwt is not there: CREDENTIALS_DIRECTORY is not set"),
        ("'${credential:../passwd}'", "${credential:../passwd} does not name a credential"),
        ("'${secret:nope}'", "there is no secret nope"),
        ("'${secret:locked}'", "the secret locked cannot be read: it was encrypted with another key"),
    ],
)
def test_what_is_missing_is_named(written: str, message: str) -> None:
    assert prompt(written) == f"bots.yaml:1: bots.b.system_prompt: {message}"


def test_a_missing_reference_is_told_once_and_nothing_else_about_its_place() -> None:
    text = """
providers: {openai: {api_key: "${NO_KEY}"}}
bots:
  a: {platform: custom, llm_provider: openai, llm_model: gpt-4o-mini}
  b: {platform: "${NO_PLATFORM}", llm_provider: openai, llm_model: "${NO_MODEL}", spending_cap_cents: 1}
  c: {platform: telegram, platform_config: {bot_token: "${NO_TOKEN}"}, llm_provider: echo, llm_model: echo}
"""
    lines = str(parse(text, "bots.yaml", Sources({"HOME": "/h"}))).splitlines()
    assert [line.rsplit("variable ", 1)[1] for line in lines] == [
        "NO_KEY is not set",
        "NO_MODEL is not set",
        "NO_PLATFORM is not set",
        "NO_TOKEN is not set",
    ]


def test_nothing_is_looked_up_for_anchors_that_nobody_uses() -> None:
    assert isinstance(parse("x-a: ${NOPE}\n" + BOT.format("x"), "bots.yaml", Sources({"HOME": "/h"})), Loaded)


def test_files_credentials_and_secrets_are_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"from a file\r\n")
    (tmp_path / "lines").write_bytes(b"one\ntwo\n\n")
    (tmp_path / "cred").write_bytes(b"from systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert prompt(f"'${{file:{tmp_path}/text}}'") == "from a file"
    assert prompt(f"'${{file:{tmp_path}/lines}}'") == "one\ntwo\n"
    assert prompt("'${credential:cred}'", environ) == "from systemd"
    assert prompt("'${secret:key}'", secrets=Kept(key="from the store")) == "from the store"


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    assert "is not a UTF-8 text" in prompt(f"'${{file:{tmp_path}/raw}}'")
    assert "Is a directory" in prompt(f"'${{file:{tmp_path}}}'")


@pytest.mark.parametrize(
    "text",
    [
        "bots: {b: {platform: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: openai, llm_model: '${S}', spending_cap_cents: 1}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, timeout_ms: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, billing_mode: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, plan: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, workspace_id: '${S}'}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, fallbacks: ['${S}']}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, fallbacks: ['${S}/m']}}",
        "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo, tools: ['${S}']}}",
        "bots: {b: {platform: telegram, platform_config: {bot_token: '${S}'}}}",
        "bots: {b: {platform: telegram, platform_config: {bot_token: '1:abc', mode: '${S}'}}}",
        "bots: {b: '${S}'}",
        "prices: {m: {input: '${S}', output: '${S}'}}\nbots: {b: {platform: custom}}",
        "server: {host: '${S}'}\nbots: {b: {platform: custom, llm_provider: echo, llm_model: echo}}",
        "providers: {house: {kind: '${S}', base_url: '${S}'}}\nbots: {b: {platform: custom}}",
    ],
)
@pytest.mark.parametrize("secret", ["hush-hush-secret", "q7z"])
def test_a_value_from_outside_shows_in_no_problem(text: str, secret: str) -> None:
    sources = Sources({"HOME": "/h", "OPENAI_API_KEY": "k", "S": secret})
    result = parse(text, "bots.yaml", sources)
    assert isinstance(result, Problems)
    assert secret not in str(result)
    stored = parse(
        text.replace("${S}", "${secret:s}"), "bots.yaml", Sources(sources.environ, secrets=Kept(s=secret))
    )
    assert secret not in str(stored)


def test_a_hidden_value_is_marked() -> None:
    text = "bots: {b: {platform: '${S}', llm_provider: echo, llm_model: echo}}"
    assert HIDDEN in str(parse(text, "bots.yaml", Sources({"HOME": "/h", "S": "hush"})))


def test_the_store_of_the_state_folder_is_used(tmp_path: Path) -> None:
    from runner.config.secret_store import SecretStore  # noqa: PLC0415 - the one test that wants the real one

    environ = {"BOTRUNNER_STATE": str(tmp_path / "state")}
    SecretStore(tmp_path / "state", environ).set("greeting", "hello")
    (tmp_path / "bots.yaml").write_text(BOT.format("'${secret:greeting}'"), encoding="utf-8")
    result = load(tmp_path / "bots.yaml", environ)
    assert isinstance(result, Loaded)
    assert result.settings.bots[0].system_prompt == "hello"
