"""docs/platforms/slack.md: what it tells to paste is what the adapter needs."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from adapters.slack import adapter
from adapters.slack.config import Config

PAGE = (Path(__file__).parents[2] / "docs" / "platforms" / "slack.md").read_text(encoding="utf-8")
MANIFEST, BOTS = (YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
NEEDS = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
}


def test_the_manifest_asks_for_each_scope_that_the_check_looks_for() -> None:
    scopes: list[str] = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert set(adapter.SCOPES) <= set(scopes)
    assert all(f"`{scope}`" in PAGE for scope in scopes)
    assert set(NEEDS.values()) <= set(scopes)


def test_the_manifest_subscribes_to_what_is_heard() -> None:
    events: list[str] = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    assert set(events) == {*NEEDS, "app_uninstalled", "tokens_revoked"}


def test_the_bot_of_the_page_is_one() -> None:
    written: dict[str, Any] = BOTS["bots"]["support"]
    assert written["platform"] == "slack"
    assert set(written["platform_config"]) == {"bot_token", "app_token"}
    assert set(written["platform_config"]) <= set(Config.model_fields)
