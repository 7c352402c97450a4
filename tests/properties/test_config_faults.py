"""However a file is broken, the answer is problems at the right lines: never an exception, never a secret."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.edit import changed_text
from runner.config.loader import parse
from runner.config.models import BotSection, FileSection
from runner.config.problems import Problem, Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded

GOOD = """\
server:
  host: 127.0.0.1
  port: 8080
  jwt_secret: ${JWT}
providers:
  openai:
    api_key: ${KEY}
prices:
  my-model:
    input: "0.10"
    output: "0.40"
plans:
  starter:
    monthly_tokens: 1000
wallet:
  hard_limit_cents: -100
  soft_limit_cents: 500
alerts:
  webhook: https://example.com/${KEY}
  secret: ${JWT}-and-more-of-it
defaults:
  timeout_ms: 20000
  max_tool_calls: 5
bots:
  first:
    name: First
    platform: telegram
    llm_provider: openai
    llm_model: gpt-4o-mini
    spending_cap_cents: 100
    enabled: true
    conversation_ttl_hours: 1.5
    context: blocks
    platform_config:
      bot_token: ${TOKEN}
    access:
      groups: all
    caps:
      bot:
        day_cents: 50
      user:
        month_cents: 20
        except:
          boss:
            month_cents: 30
  second:
    name: Second
    platform: custom
    llm_provider: echo
    llm_model: echo
    rate_limit_per_minute: 5
    billing_mode: plan_quota
    plan: starter
    quota_message: No more.
    tools:
      - name: look_up
        description: Looks something up.
        url: https://example.com/{q}
        timeout_ms: 500
"""
LINES = GOOD.splitlines()
ENVIRON = {"HOME": "/h", "JWT": "jwt-hush-1", "KEY": "key-hush-2", "TOKEN": "123:token-hush-3"}
SECRETS = ("jwt-hush-1", "key-hush-2", "token-hush-3")
FIELD = re.compile(r"^(\s+)(- )?([a-z_]+):(?: (.+))?$")
FREE_KEYS = {"my-model", "openai", "first", "second", "starter", "boss"}
NUMBERS = {
    "port",
    "timeout_ms",
    "max_tool_calls",
    "spending_cap_cents",
    "rate_limit_per_minute",
    "conversation_ttl_hours",
    "day_cents",
    "month_cents",
    "monthly_tokens",
}


few = settings(max_examples=40)
"""Each example reads a whole file, prices included."""


def judge(text: str, environ: dict[str, str] | None = None) -> Loaded | Problems:
    return parse(text, "bots.yaml", Sources(environ or ENVIRON))


def with_line(number: int, line: str) -> str:
    return "\n".join([*LINES[:number], line, *LINES[number + 1 :]]) + "\n"


def lines_of(keep: set[str] | None = None) -> list[int]:
    """The lines with fields of ours; of `keep` only, where it is given."""
    matches = ((number, FIELD.match(line)) for number, line in enumerate(LINES))
    return [n for n, m in matches if m and m[3] not in FREE_KEYS and (keep is None or m[3] in keep)]


def test_the_good_file_is_good() -> None:
    assert isinstance(judge(GOOD), Loaded)


@few
@given(st.sampled_from(lines_of()), st.integers(0, 20), st.sampled_from("qxz"))
def test_a_mistyped_key_is_told_at_its_line(number: int, place: int, letter: str) -> None:
    match = FIELD.match(LINES[number])
    assert match is not None
    key = match[3][: place % (len(match[3]) + 1)] + letter + match[3][place % (len(match[3]) + 1) :]
    line = LINES[number].replace(f"{match[3]}:", f"{key}:", 1)
    result = judge(with_line(number, line))
    assert isinstance(result, Problems)
    told = [p for p in result.problems if p.line == number + 1]
    assert any("unknown field" in p.message and p.path.endswith(key) for p in told), str(result)


@few
@given(
    st.sampled_from(lines_of(NUMBERS)),
    st.sampled_from(["[1]", "{a: 1}", "many", "true", "-3", "1e99", ".nan", "''"]),
)
def test_a_value_of_the_wrong_kind_is_told_at_its_line(number: int, value: str) -> None:
    match = FIELD.match(LINES[number])
    assert match is not None
    result = judge(with_line(number, f"{match[1]}{match[2] or ''}{match[3]}: {value}"))
    assert isinstance(result, Problems)
    assert {p.line for p in result.problems} == {number + 1}, str(result)


@few
@given(st.sampled_from(["description", "url", "platform", "input"]))
def test_a_required_field_that_is_gone_is_told_where_it_should_be(field: str) -> None:
    (number, *_) = lines_of({field})
    result = judge(with_line(number, ""))
    assert isinstance(result, Problems)
    assert any(p.path.endswith(f".{field}") and p.line <= number + 1 for p in result.problems), str(result)


@few
@given(st.lists(st.sampled_from(range(len(LINES))), max_size=6), st.randoms(use_true_random=False))
def test_lines_that_are_lost_doubled_or_moved_never_raise(numbers: list[int], random: st.DrawFn) -> None:
    lines = list(LINES)
    for number in numbers:
        line = lines.pop(number % len(lines))
        for _ in range(random.randrange(3)):  # type: ignore[attr-defined]
            lines.insert(random.randrange(len(lines) + 1), line)  # type: ignore[attr-defined]
    checked("\n".join(lines))


@few
@given(st.text(max_size=200))
def test_random_text_never_raises(text: str) -> None:
    checked(text)


@few
@given(st.text(alphabet="ab:-{}[]&*!|>'\"#%@`,?<\n ~\t$", max_size=80))
def test_random_yaml_signs_never_raise(text: str) -> None:
    checked(text)
    checked(f"bots:\n  b: {text}")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@few
@given(
    st.dictionaries(st.sampled_from(sorted(FileSection.model_fields)), PLAIN, max_size=5),
    st.dictionaries(st.sampled_from(sorted(BotSection.model_fields)), PLAIN, max_size=8),
)
def test_any_values_in_our_fields_never_raise(top: dict[str, object], bot: dict[str, object]) -> None:
    """JSON is YAML, so whatever can be said in JSON can be put in the file."""
    import json  # noqa: PLC0415 - the one test that writes it

    checked(json.dumps({**top, "bots": {"b": bot}}))


@few
@given(
    st.sampled_from(lines_of()),
    st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=9, max_size=40),
)
def test_a_secret_in_the_wrong_place_does_not_show(number: int, secret: str) -> None:
    match = FIELD.match(LINES[number])
    assert match is not None
    result = judge(
        with_line(number, f"{match[1]}{match[2] or ''}{match[3]}: ${{ODD}}"), {**ENVIRON, "ODD": secret}
    )
    if secret not in GOOD:
        assert secret not in str(result if isinstance(result, Problems) else result.warnings)


def checked(text: str) -> None:
    """Judging it gives a value, whose problems show no secret and are in order and in the file."""
    result = judge(text)
    if isinstance(result, Problems):
        assert result.problems
        lines = [problem.line for problem in result.problems]
        assert lines == sorted(lines)
        assert lines[-1] <= len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text)) + 1
        assert not any(secret in str(result) for secret in SECRETS)


# ------------------------------------------------------------------------------------------- editing


@few
@given(st.sampled_from(["first", "second"]), st.none() | st.integers(0, 10**9))
def test_setting_a_cap_changes_one_line_and_one_value(bot: str, cents: int | None) -> None:
    after = changed_text(GOOD, "bots.yaml", ("bots", bot, "spending_cap_cents"), cents)
    assert isinstance(after, str)
    before_lines, after_lines = GOOD.splitlines(), after.splitlines()
    gone = [line for line in before_lines if line not in after_lines]
    new = [line for line in after_lines if line not in before_lines]
    assert len(gone) <= 1
    assert len(new) <= 1
    assert len(after_lines) - len(before_lines) == (0 if bot == "first" else 1)


@few
@given(
    st.text(alphabet="ab:-{}[]&*!|>'\"#,?<\n ~$", max_size=60),
    st.sampled_from([("a",), ("a", "b"), ("b", "a")]),
)
def test_editing_a_random_file_never_raises(text: str, where: tuple[str, ...]) -> None:
    assert isinstance(changed_text(text, "bots.yaml", where, 1), str | Problem)
