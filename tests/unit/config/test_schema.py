"""The JSON schema that editors use."""

from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from runner.config.schema import DIALECT, schema
from runner.config.starter import starter_text

GOOD = """
x-anything: {goes: here}
server: {port: "${PORT}"}
wallet: {hard_limit_cents: -100, soft_limit_cents: "${SOFT}"}
plans: {small: {monthly_tokens: 5}}
alerts: {webhook: "https://h", secret: "${S}"}
prices: {m: {input: "1", output: "2", confirm: true}}
defaults: {spending_cap_cents: "${CAP}", enabled: "${ON}", access: {groups: "${GROUPS}"}}
bots:
  t: {platform: telegram, platform_config: {bot_token: "${T}", poll_timeout_s: "${P}"}}
  c: {platform: custom, platform_config: {secret: "x"}, rate_limit_per_minute: null, fallbacks: [openai/gpt-4o]}
  m: {channels: [{platform: telegram, platform_config: {bot_token: "1:a"}}, {platform: custom}]}
  p: {billing_mode: plan_quota, plan: small, quota_message: Spent.}
  q: {caps: {bot: {day_cents: 1}, user: {cents: "${C}", except: {"42": {day_cents: 5}, boss: null}}, team: null}}
  r:
    routing:
      tiers: {free: {model: "openrouter/m:free", free: true}, small: openai/gpt-4o-mini, strong: "${STRONG}"}
      rules: [{max_chars: 40, tier: small}, {users: [4711], label: hard, tier: strong}]
      classifier: {prompt: How?, labels: [easy, hard]}
      escalate: {to: strong, on: [refusal]}
    response_cache: {ttl_minutes: "${MINUTES}"}
    task: faq
  o: {routing: off, response_cache: true, context: auto, summarize: true}
  f: {routing: false, response_cache: {ttl_hours: 0.5}}
  w: {tools: [{type: http, name: n, description: d, url: "http://x", headers: {A: b}}], timeout_ms: 60000}
"""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_it_names_its_dialect() -> None:
    assert schema()["$schema"] == DIALECT


@pytest.mark.parametrize("text", [starter_text(), GOOD])
def test_good_files_are_valid(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert [error.message for error in validator.iter_errors(read(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "bots: {}",
        "servr: {}\nbots: {b: {platform: custom}}",
        "bots: {B: {platform: custom}}",
        "bots: {b: {platform: irc}}",
        "bots: {b: {llm_modle: x}}",
        "bots: {b: {timeout_ms: 60001}}",
        "bots: {b: {enabled: 7}}",
        "bots: {b: {quota_message: ''}}",
        "bots: {b: {caps: {usr: {cents: 1}}}}",
        "bots: {b: {caps: {user: {except_: {a: null}}}}}",
        "bots: {b: {caps: {user: {except: {a: {cents: -1}}}}}}",
        "bots: {b: {caps: {message: {day_cents: 1}}}}",
        "bots: {b: {routing: {tiers: {small: {modle: x}}}}}",
        "bots: {b: {routing: {rules: [{keywords: [], tier: x}]}}}",
        "bots: {b: {routing: {escalate: {to: x, on: [tears]}}}}",
        "bots: {b: {routing: maybe}}",
        "bots: {b: {response_cache: {ttl_minutes: 0}}}",
        "bots: {b: {task: FAQ}}",
        "bots: {b: {platform: custom}}\nwallet: {hard_limit_cents: a}",
        "bots: {b: {platform: telegram, platform_config: {}}}",
        "bots: {b: {platform: telegram, platform_config: {bot_token: '1:a', secret: x}}}",
        "bots: {b: {channels: [{platform: custom, platform_config: {bot_token: x}}]}}",
        "defaults: {name: x}\nbots: {b: {platform: custom}}",
        "bots: {b: {tools: [{type: http, name: a b, description: d, url: 'http://x'}]}}",
    ],
)
def test_bad_files_are_not(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert list(validator.iter_errors(read(text)))


def test_the_starter_names_the_schema_in_its_first_line() -> None:
    assert starter_text().splitlines()[0] == "# yaml-language-server: $schema=bots.schema.json"
