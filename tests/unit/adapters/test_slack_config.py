"""What may be written for a Slack bot, and what loading its library costs nobody else."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.registry import capabilities, config_model
from adapters.slack.config import Config

ROOT = Path(__file__).resolve().parents[3]
BOT, APP = {"bot_token": "xoxb-1-SEEN"}, {"app_token": "xapp-1-SEEN"}


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({**APP}, "bot_token"),
        ({"bot_token": "xoxp-SEEN", **APP}, "bot_token"),
        ({"bot_token": "xoxb-SEEN with space", **APP}, "bot_token"),
        ({**BOT, "app_token": "xoxb-SEEN"}, "app_token"),
        ({**BOT}, "signing_secret"),
        ({**BOT, **APP, "signing_secret": "SEEN"}, "signing_secret"),
        ({**BOT, "signing_secret": "  "}, "signing_secret"),
        ({**BOT, **APP, "api_base_url": "https://SEEN:pw@x"}, "api_base_url"),
        ({**BOT, **APP, "working_reaction": ":SEEN:"}, "working_reaction"),
        ({**BOT, **APP, "tokn": "SEEN"}, "tokn"),
    ],
)
def test_a_faulty_config_names_the_field_and_never_the_value(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(raw)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
    assert "SEEN" not in str(caught.value)


def test_what_is_given_tells_how_it_listens() -> None:
    socket = Config.model_validate({"bot_token": " xoxb-1-secret ", "app_token": "xapp-1-secret"})
    events = Config.model_validate({"bot_token": "xoxb-1-secret", "signing_secret": " secret "})
    assert (socket.mode, events.mode) == ("socket", "events")
    assert socket.bot_token.get_secret_value() == "xoxb-1-secret"
    assert events.signing_secret is not None
    assert events.signing_secret.get_secret_value() == "secret"
    for config in (socket, events):
        assert "secret" not in f"{config.bot_token} {config.app_token} {config.model_dump_json()}".replace(
            "signing_secret", ""
        )


def test_the_web_api_is_where_it_is_said_to_be() -> None:
    def base(**given: str) -> str:
        return Config.model_validate({**BOT, **APP, **given}).api_base_url

    assert base() == "https://slack.com/api/"
    assert {base(api_base_url=f"http://127.0.0.1:1/api{end}") for end in ("", "/", "//")} == {
        "http://127.0.0.1:1/api/"
    }
    assert base(api_base_url="http://127.0.0.1:1") == "http://127.0.0.1:1/", "nothing is put before methods"


def test_the_config_loads_no_library_of_slacks() -> None:
    code = (
        "import sys; from adapters import registry\n"
        "registry.config_model('slack'); registry.capabilities('slack')\n"
        "print([name for name in ('slack_sdk', 'slack_bolt', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_what_the_registry_knows() -> None:
    assert config_model("slack") is Config
    assert capabilities("slack").max_text == 12_000
    assert capabilities("slack").resends_unknown
