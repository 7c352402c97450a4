"""dashboard: a link that the daemon takes, once."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.clock import SystemClock
from runner.web.auth import load_secret
from runner.web.seals import LINK_MS, unseal
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import BOTS, Desk


def claims_of(desk: Desk, link: str) -> dict[str, object] | None:
    [key] = parse_qs(urlsplit(link).query)["token"]
    return unseal(load_secret(desk.state, None), "link", key, SystemClock().now_ms())


def test_a_link_to_the_running_daemon(desk: Desk, admin: AdminDouble) -> None:
    desk.write()
    before = SystemClock().now_ms()
    link = desk.type("dashboard").out.strip()
    assert link.startswith(f"{admin.url}/login?token=")
    claims = claims_of(desk, link)
    assert claims is not None
    assert before <= int(str(claims["ends_ms"])) - LINK_MS <= SystemClock().now_ms()
    assert json.loads(desk.type("dashboard", "--json").out)["url"] != link


@pytest.mark.usefixtures("admin")
def test_a_link_to_the_public_address(desk: Desk) -> None:
    desk.write(f"server: {{public_url: https://bots.example/}}\n{BOTS}")
    assert desk.type("dashboard", "--public").out.startswith("https://bots.example/login?token=")
    desk.write()
    assert "server.public_url is not set" in desk.type("dashboard", "--public").err


def test_without_a_daemon_there_is_none(desk: Desk) -> None:
    desk.write()
    assert desk.type("dashboard").code == 1
