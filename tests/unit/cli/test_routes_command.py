"""routes."""

import json

from tests.unit.cli.desk import BOTS, Desk

ROUTED = """\
prices: {"m:free": {input: "0", output: "0"}}
providers: {house: {kind: openai, base_url: "http://127.0.0.1:9/v1"}}
bots:
  shop:
    platform: custom
    task: faq
    fallbacks: [house/spare]
    routing:
      tiers: {free: {model: "house/m:free", free: true}, small: echo/echo, strong: house/big}
      default: small
      tasks: {order: strong}
      rules:
        - {keywords: [refund], tier: strong}
        - {users: [eve], tier: free}
        - {label: hard, min_chars: 20, tier: strong}
      classifier: {prompt: How hard?, labels: [easy, hard]}
      escalate: {to: strong, on: [refusal]}
"""


def said(desk: Desk, *arguments: str) -> list[str]:
    done = desk.type("routes", "shop", *arguments)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def test_tiers_with_prices_and_rules_in_words(desk: Desk) -> None:
    desk.write(ROUTED)
    lines = said(desk)
    assert [line.split() for line in lines[:6]] == [
        ["tier", "model", "input", "output"],
        ["free", "house/m:free", "0.00", "0.00"],
        ["small", "(default)", "echo/echo", "1.00", "5.00"],
        ["strong", "house/big", "no", "price", "no", "price"],
        ["(fallback)", "house/spare", "no", "price", "no", "price"],
        ["US", "dollars", "per", "million", "tokens"],
    ]
    assert [line.rsplit(maxsplit=1) for line in lines[8:13]] == [
        ["rule 1: keyword refund", "strong"],
        ["rule 2: user eve", "free"],
        ["rule 3: label hard, at least 20 characters", "strong"],
        ["task order", "strong"],
        ["otherwise", "small"],
    ]
    assert lines[13:] == [
        "A conversation stays with the tier that answered first.",
        "It is raised to strong after: refusal.",
        "small is asked for a label where a rule needs one: easy, hard.",
        "Where free is busy, the next tier is asked.",
    ]


def test_where_a_message_goes(desk: Desk) -> None:
    desk.write(ROUTED)
    assert said(desk, "a refund!")[-2:] == [
        "This message goes to house/big: strong (rule 1: keyword refund)",
        "  else house/spare: fallback",
    ]
    assert said(desk, "hi", "--task", "order")[-2] == "This message goes to house/big: strong (task order)"
    assert said(desk, "hi", "--user", "eve")[-3:] == [
        "This message goes to house/m:free: free (rule 2: user eve)",
        "  else echo/echo: small",
        "  else house/spare: fallback",
    ]


def test_a_classifier_is_not_asked_but_followed(desk: Desk) -> None:
    desk.write(ROUTED)
    assert said(desk, "what is the meaning of it")[-7:] == [
        "This message: would ask small: labels easy, hard",
        "  easy: echo/echo: small (default)",
        "    else house/spare: fallback",
        "  hard: house/big: strong (rule 3: at least 20 characters, label hard)",
        "    else house/spare: fallback",
        "  none of them: echo/echo: small (default; no label: the classifier named none)",
        "    else house/spare: fallback",
    ]


def test_the_same_as_json(desk: Desk) -> None:
    desk.write(ROUTED)
    told = json.loads("\n".join(said(desk, "what is the meaning of it", "--json")))
    assert told["routing"]["tiers"][0] == {
        "name": "free",
        "provider": "house",
        "model": "m:free",
        "input": "0.00",
        "output": "0.00",
        "free": True,
    }
    assert told["routing"]["steps"][-1] == {"when": "otherwise", "tier": "small"}
    assert told["routing"]["escalate"] == {"to": "strong", "on": ["refusal"], "keywords": []}
    assert [one["model"] for one in told["fallbacks"]] == ["spare"]
    message = told["message"]
    assert (message["task"], message["asked"], message["label"]["tier"]) == ("faq", None, "small")
    assert [one["route"] for one in message["label"]["answers"]["hard"]] == ["strong", "fallback"]
    plain = json.loads("\n".join(said(desk, "hi", "--json")))["message"]
    assert (plain["label"], plain["asked"][0]["reason"]) == (None, "default")


def test_a_bot_without_routing_has_one_model(desk: Desk) -> None:
    desk.write(BOTS)
    lines = desk.type("routes", "hello", "hi").out.splitlines()
    assert lines[1].split() == ["(every", "message)", "echo/echo", "1.00", "5.00"]
    assert lines[-1] == "This message goes to echo/echo: default"
    told = json.loads(desk.type("routes", "hello", "--json").out)
    assert (told["routing"], told["model"]["model"]) == (None, "echo")


def test_a_bot_that_there_is_not(desk: Desk) -> None:
    desk.write(BOTS)
    done = desk.type("routes", "helo")
    assert (done.code, done.err.startswith("error: there is no bot 'helo', did you mean hello?")) == (1, True)
