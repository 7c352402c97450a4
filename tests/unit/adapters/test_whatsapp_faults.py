"""What Meta's codes and statuses mean for a message, and what may be written in bots.yaml."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.messages import NotSent, Rejected, SendResult, Sent
from adapters.whatsapp import wire
from adapters.whatsapp.client import retry_after_s
from adapters.whatsapp.config import Config
from adapters.whatsapp.fates import fate_of
from adapters.whatsapp.faults import Fault, Meaning, fault_of


# ── faults and fates ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("code", "meaning", "wait_s"),
    [
        (131056, Meaning.USER_PACE, 6),
        (130429, Meaning.BOT_PACE, 5),
        (80007, Meaning.BOT_PACE, 60),
        (131016, Meaning.AWAY, None),
        (190, Meaning.CREDENTIALS, 60),
        (200, Meaning.CREDENTIALS, 60),
        (299, Meaning.CREDENTIALS, 60),
        (131000, Meaning.UNCLEAR, None),
        (131047, Meaning.REFUSED, None),
        (100, Meaning.REFUSED, None),
    ],
)
def test_codes_have_a_meaning(code: int, meaning: Meaning, wait_s: float | None) -> None:
    fault = Fault(code, "x")
    assert (fault.meaning, fault.wait_s) == (meaning, wait_s)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": 100, "message": "(#100) Invalid parameter"}, "Invalid parameter (100)"),
        ({"code": 5, "title": "T", "error_data": {"details": "why\nso"}}, "T: why so (5)"),
        ({"code": 5, "error_data": {"details": "why"}}, "why (5)"),
        ({"code": 5}, "no words (5)"),
    ],
)
def test_a_fault_in_words(error: dict[str, Any], said: str) -> None:
    assert str(fault_of(error)) == said


@pytest.mark.parametrize(
    ("state", "code", "fate"),
    [
        ("sent", None, Sent("w")),
        ("delivered", None, Sent("w")),
        ("read", None, Sent("w")),
        ("deleted", None, None),
        ("failed", 131026, Rejected("x (131026)")),
        ("failed", 131056, NotSent("x (131056)", 6.0)),
        ("failed", 130429, NotSent("x (130429)", 5.0, whole_bot=True)),
        ("failed", None, Rejected("Meta says that it failed, and not why (-1)")),
    ],
)
def test_a_status_tells_a_fate(state: str, code: int | None, fate: SendResult | None) -> None:
    fault = None if code is None else Fault(code, "x")
    assert fate_of(wire.Status("w", state, "k", fault)) == fate


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "99999"}, 3600),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 2}]}'}, 120),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({"X-Business-Use-Case-Usage": "{"}, None),
        ({"X-Business-Use-Case-Usage": "[1]"}, None),
    ],
)
def test_headers_may_ask_for_a_pause(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


# ── the config ───────────────────────────────────────────────────────────────────────────────────────────────
GOOD = {"phone_number_id": 1055, "access_token": " EAAseen ", "verify_token": "v", "app_secret": "s3cret"}


def test_a_good_config_hides_its_secrets() -> None:
    config = Config.model_validate({**GOOD, "api_base_url": "http://127.0.0.1:81/"})
    assert (config.phone_number_id, config.account) == ("1055", "1055")
    assert config.access_token.get_secret_value() == "EAAseen"
    assert config.api_base_url == "http://127.0.0.1:81"
    shown = f"{config!r} {config} {config.model_dump_json()}"
    assert "seen" not in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"phone_number_id": "+49 170"}, "phone_number_id"),
        ({"phone_number_id": True}, "phone_number_id"),
        ({"access_token": "SEEN two"}, "access_token"),
        ({"verify_token": "SEEN\n2"}, "verify_token"),
        ({"app_secret": ""}, "app_secret"),
        ({"graph_version": "23"}, "graph_version"),
        ({"api_base_url": "https://SEEN:pw@x"}, "api_base_url"),
        ({"tokn": "SEEN"}, "tokn"),
    ],
)
def test_a_faulty_config_names_the_field_and_never_the_value(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({**GOOD, **change})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
    assert "SEEN" not in str(caught.value)
