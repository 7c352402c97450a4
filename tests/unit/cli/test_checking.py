"""check."""

import json
import socket
import sys
from pathlib import Path

from adapters.testing.slack_server import SlackServer
from adapters.testing.whatsapp_server import WhatsAppServer
from runner.cli.check import ask_platforms
from runner.config.loader import load
from runner.config.problems import Problems
from runner.config.secret_store import SecretStore
from runner.testing import tool_program
from tests.unit.cli.desk import BOTS, Desk

TELEGRAM = """\
bots:
  shop:
    platform: telegram
    platform_config: {{bot_token: "123456:{letters}", api_base_url: "{url}"}}
    llm_provider: echo
    llm_model: echo
    system_prompt: You sell.
"""

POSTED_TO = """\
server: {{public_url: "https://bots.example.org/"}}
defaults: {{llm_provider: echo, llm_model: echo, system_prompt: You sell.}}
bots:
  team:
    platform: slack
    platform_config: {{bot_token: xoxb-checking, signing_secret: s3cret, api_base_url: "{slack}/api/"}}
  shop:
    platform: whatsapp
    platform_config:
      phone_number_id: 106540352242922
      access_token: EAAcheck
      verify_token: verify-check
      app_secret: secret-check
      api_base_url: "{meta}"
"""


def test_well(desk: Desk) -> None:
    desk.write()
    done = desk.type("check")
    assert (done.code, done.out, done.err) == (0, "bots.yaml: 2 bots (1 not enabled), all well\n", "")


def test_all_problems_at_once(desk: Desk) -> None:
    desk.write(BOTS.replace("llm_model", "llm_modle", 1).replace("cap_cents: 100", "cap_cents: much", 1))
    done = desk.type("check")
    assert done.code == 1
    lines = done.out.splitlines()
    assert "bots.yaml:5: bots.hello.llm_modle: unknown field, did you mean llm_model?" in lines
    assert any(line.startswith("bots.yaml:6: bots.hello.spending_cap_cents: ") for line in lines)
    assert lines[-1] == "bots.yaml: 2 problems"


def test_warnings_do_not_fail_it(desk: Desk) -> None:
    desk.write("alerts: {secret: sixteen-letters-}\n" + BOTS)
    done = desk.type("check")
    assert done.code == 0
    assert done.out.startswith("warning: bots.yaml:1: alerts.secret: ")
    assert done.out.endswith("bots.yaml: 2 bots (1 not enabled), usable, 1 warning\n")


def test_json(desk: Desk) -> None:
    desk.write(BOTS.replace("llm_model", "llm_modle", 1))
    done = desk.type("check", "--json")
    said = json.loads(done.out)
    assert done.code == 1
    assert (said["ok"], said["file"], said["online"]) == (False, "bots.yaml", None)
    assert said["problems"][0]["line"] == 5
    assert said["problems"][0]["path"] == "bots.hello.llm_modle"


def test_online_asks_who_we_are(desk: Desk) -> None:
    desk.write()
    done = desk.type("check", "--online")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()][2][:3] == ["hello", "custom", "ok"]
    assert "resting" not in done.out


def test_online_fails_where_a_platform_is_away(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    token = "A" * 35
    desk.write(TELEGRAM.format(url=url, letters=token))
    done = desk.type("check", "--online", "--json")
    assert done.code == 1
    [answer] = json.loads(done.out)["online"]
    assert (answer["bot"], answer["channel"], answer["ok"]) == ("shop", "telegram", False)
    assert answer["answer"]
    assert token not in done.out + done.err


def test_online_asks_tool_servers_for_their_tools(desk: Desk) -> None:
    program = f'["{sys.executable}", -I, -S, "{tool_program.__file__}"]'
    servers = f"shop: {{command: {program}, tools: [echo, fail]}}, mail: {{command: /nowhere/mail}}"
    bots = BOTS.replace("system_prompt: You", "workspace_id: w\n    system_prompt: You")
    desk.write(f"workspaces: {{w: {{servers: {{{servers}}}}}}}\n{bots}")
    done = desk.type("check", "--online", "--json")
    assert done.code == 1
    assert json.loads(done.out)["online"][1:] == [
        {"bot": "hello", "channel": "tools w/shop", "ok": True, "answer": "shop__echo, shop__fail"},
        {
            "bot": "hello",
            "channel": "tools w/mail",
            "ok": False,
            "answer": "there is no program /nowhere/mail",
        },
    ]


async def test_who_is_posted_to_says_where(tmp_path: Path) -> None:
    async with SlackServer() as slack, WhatsAppServer() as meta:
        slack.account("xoxb-checking", signing_secret="s3cret")
        meta.number("106540352242922", "EAAcheck", "secret-check", "verify-check")
        file = tmp_path / "bots.yaml"
        file.write_text(POSTED_TO.format(slack=slack.url, meta=meta.url), encoding="utf-8")
        loaded = load(file, {}, SecretStore(tmp_path, {}))
        assert not isinstance(loaded, Problems), loaded
        settings = loaded.settings
        team, shop = await ask_platforms(settings.bots, settings.server.public_url)
        assert (team.ok, shop.ok) == (True, True)
        assert "https://bots.example.org/api/bots/webhook/slack/team" in team.answer
        assert "https://bots.example.org/api/bots/webhook/whatsapp/shop" in shop.answer
        for unknown in await ask_platforms(settings.bots):
            assert "bots.example.org" not in unknown.answer
