"""docs/money.md: each of its files works as it stands, its texts and commands are the real ones."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from adapters.signatures import sha256_hex
from runner.bots import BillingMode, Bot, Texts
from runner.cli.commands import application
from runner.config.loader import parse
from runner.config.models import BotSection
from runner.config.secrets import Sources
from runner.config.settings import Loaded, Settings
from runner.money.amounts import from_cents, from_usd
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, WalletTerms
from runner.ports.books import Alert, WaitingAlert
from runner.telemetry.alert_text import body_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "money.md").read_text(encoding="utf-8")
ALERT_SECRET = "a secret that signs alerts"


class Kept:
    """The encrypted store of the page."""

    def lookup(self, name: str) -> str | None:
        return {"shop-key": "sk-shop"}.get(name)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def loaded(text: str) -> Settings:
    environ = {"HOME": "/home/op", "ALERT_SECRET": ALERT_SECRET}
    result = parse(text, "bots.yaml", Sources(environ, secrets=Kept()))
    assert isinstance(result, Loaded), f"{result}\n{text}"
    assert result.warnings == (), text
    return result.settings


@pytest.fixture(scope="module")
def files() -> list[Settings]:
    return [loaded(text) for text in blocks("yaml")]


def bot(files: list[Settings], section: str) -> Bot:
    """The first bot of the file that has such a section or bot."""
    number = next(n for n, text in enumerate(blocks("yaml")) if section in text)
    return files[number].bots[0]


def test_every_limit_of_the_page_holds(files: list[Settings]) -> None:
    support = bot(files, "except:")
    assert support.cap == from_cents(5000)
    assert {(cap.per, cap.period, cap.amount) for cap in support.caps} == {
        (Per.BOT, Period.DAY, from_cents(200)),
        (Per.BOT, Period.MONTH, from_cents(2000)),
        (Per.USER, Period.LIFETIME, from_cents(500)),
        (Per.USER, Period.DAY, from_cents(20)),
        (Per.CONVERSATION, Period.LIFETIME, from_cents(100)),
        (Per.MESSAGE, Period.LIFETIME, from_cents(5)),
        (Per.TEAM, Period.MONTH, from_cents(5000)),
    }
    assert Cap(Per.USER, Period.DAY, from_cents(20), {"42": from_cents(500), "boss": None}) in support.caps


def test_who_pays_on_the_page(files: list[Settings]) -> None:
    assert [file.wallet for file in files if file.wallet] == [WalletTerms(from_cents(0), from_cents(500))]
    shop = bot(files, "byok")
    assert shop.billing_mode is BillingMode.BYOK
    assert shop.llm_api_key is not None
    assert shop.llm_api_key.reveal() == "sk-shop"
    plans = next(file.plans for file in files if file.plans)
    assert plans["business"] == Plan("business", 50_000_000, from_cents(5000))
    assert bot(files, "plans:").plan == plans["starter"]


def test_the_texts_are_the_real_ones() -> None:
    said = re.findall(r"^\| the .*? \| (.*?) \| `(.*?)` \|$", PAGE, re.MULTILINE)
    real = {field: BotSection.model_fields[field].default for _, field in said}
    assert {field: text for text, field in said if field != "fallback_message"} == {
        field: text for field, text in real.items() if text is not None
    }
    texts = Texts()
    assert {text for _, text in real.items() if text} == {
        texts.cap_reached,
        texts.allowance_spent,
        texts.conversation_spent,
        texts.wallet_empty,
        texts.quota_spent,
    }


def test_each_command_of_the_page_is_one() -> None:
    group: Any = typer.main.get_command(application())
    known = {
        f"{name} {inner}".strip(): leaf
        for name, command in group.commands.items()
        for inner, leaf in getattr(command, "commands", {"": command}).items()
    }
    typed = re.findall(r"(?:`|^\$ )botrunner ([^`\n]+)", PAGE, re.MULTILINE)
    assert len(typed) > 10
    for line in typed:
        name = next((name for name in known if f"{line} ".startswith(f"{name} ")), None)
        assert name is not None, line
        options = {word for param in known[name].params for word in param.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= options, line


def test_the_alert_of_the_page_is_what_is_posted(files: list[Settings]) -> None:
    (shown,) = (json.loads(block) for block in blocks("json"))
    alert = Alert("bot:support", 80, from_usd("5.00"), from_usd("4.10"), 1_795_341_600_000)
    assert json.loads(body_of(WaitingAlert(17, alert))) == shown
    webhook = next(file.alerts for file in files if file.alerts)
    assert webhook.secret is not None
    assert webhook.secret.reveal() == ALERT_SECRET


def test_the_receiver_of_the_page_knows_our_signature() -> None:
    (code,) = blocks("python")
    scope: dict[str, Any] = {"hashlib": hashlib, "hmac": hmac}
    exec(code, scope)
    body = b'{"id": "alert-17"}'
    signature = f"sha256={sha256_hex(ALERT_SECRET, body)}"
    assert scope["is_ours"](ALERT_SECRET, body, signature)
    assert not scope["is_ours"]("another", body, signature)


@pytest.mark.parametrize("page", ["money.md", "bots-yaml.md"])
def test_no_link_leads_nowhere(page: str) -> None:
    written = (DOCS / page).read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\(([\w.-]+\.md)(?:#([\w-]+))?\)", written):
        text = (DOCS / name).read_text(encoding="utf-8")
        anchors = {
            re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-")
            for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert not anchor or anchor in anchors, (name, anchor)
