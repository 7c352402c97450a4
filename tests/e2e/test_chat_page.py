"""The chat page in a real browser: a newcomer talks to a bot and sees what it cost."""

import importlib.util
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.testing.model_script import Fault, Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

if TYPE_CHECKING:
    from playwright.async_api import Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser {CHROMIUM}"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]

CONFIG = """
server: {{port: 0}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: house-key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{max_tokens_per_turn: 300, system_prompt: You help.}}
bots:
  shop: {{name: "The <b>Shop</b>", platform: custom, llm_provider: house, llm_model: m, spending_cap_cents: 100}}
  parrot: {{name: Parrot, platform: custom, llm_provider: echo, llm_model: echo}}
"""


@dataclass
class Visit:
    """A page that is open, and all that went wrong on it."""

    page: "Page"
    daemon: Daemon
    model: ModelServer
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def say(self, text: str) -> None:
        """Write and press Enter, as soon as that does something."""
        await self.page.locator("button:enabled").wait_for()
        await self.page.get_by_label("Message").fill(text)
        await self.page.get_by_label("Message").press("Enter")


@asynccontextmanager
async def visit(folder: Path) -> AsyncIterator[Visit]:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - may not be there

    model = ModelServer()
    await model.start()
    try:
        with Daemon(folder, CONFIG.format(model=model.url)) as daemon:
            await daemon.start()
            await daemon.ready()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = await browser.new_page()
                page.set_default_timeout(60_000)
                here = Visit(page, daemon, model)
                page.on("pageerror", lambda error: here.wrong.append(str(error)))
                page.on(
                    "console",
                    lambda told: here.wrong.append(told.text) if told.type in {"error", "warning"} else None,
                )
                page.on("request", lambda request: here.asked.append(request.url))
                await page.goto(daemon.url)
                yield here
                await browser.close()
            await daemon.stop()
    finally:
        await model.stop()


async def test_a_newcomer_talks_to_a_bot_and_sees_the_cost(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    async with visit(tmp_path) as here:
        page, log = here.page, here.page.get_by_role("log")
        here.model.script(Say("It costs <i>nothing</i>.\nOr little."), Say("Second."))
        await expect(page.get_by_label("Bot")).to_contain_text("The <b>Shop</b>")
        await expect(page.get_by_label("Message")).to_be_focused()
        await here.say("What does it cost?")
        await expect(log.locator(".said.own")).to_have_text(["What does it cost?"])
        answer = log.locator(".said:not(.own)")
        await expect(answer).to_contain_text(["It costs <i>nothing</i>."])
        await expect(answer.locator("i")).to_have_count(0)
        await expect(answer.locator("small")).to_contain_text(["house/m"])
        await expect(answer.locator("small")).to_have_text(re.compile(r"^\d+ in · \d+ out · 0\.\d+ USD · "))
        await expect(page.get_by_role("status")).to_have_text(re.compile(r"^0\.\d*[1-9]\d* USD spent"))
        await page.get_by_label("Message").fill("And")
        await page.get_by_label("Message").press("Shift+Enter")
        await page.get_by_label("Message").press("Enter")
        await expect(answer).to_have_count(2)
        await expect(page.get_by_label("Message")).to_have_value("")
        assert here.wrong == []
        assert {url for url in here.asked if not url.startswith((here.daemon.url, "data:"))} == set()


async def test_what_is_said_twice_is_summed_exactly(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    async with visit(tmp_path) as here:
        log = here.page.get_by_role("log")
        for number in (1, 2):
            await here.say(f"say {number}")
            await expect(log.locator(".said:not(.own) small")).to_have_count(number)
        notes = await log.locator(".said:not(.own) small").all_inner_texts()
        costs = [re.search(r"0\.(\d+) USD", note) for note in notes]
        whole = sum(int(cost[1].ljust(12, "0")) for cost in costs if cost)
        shown = re.match(r"0\.(\d+) USD", await here.page.get_by_role("status").inner_text())
        assert shown is not None
        assert int(shown[1].ljust(12, "0")) == whole > 0


async def test_another_bot_can_be_chosen(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    async with visit(tmp_path) as here:
        await here.page.get_by_label("Bot").select_option("Parrot")
        await here.say("hello")
        await expect(here.page.get_by_role("log")).to_contain_text("You said: hello")
        assert not here.model.requests


async def test_a_model_that_is_away_is_told_and_the_talk_goes_on(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    async with visit(tmp_path) as here:
        log = here.page.get_by_role("log")
        here.model.script(Fault(401), Say("I am back."))
        await here.say("hello?")
        await expect(log).to_contain_text("can't reach my language model")
        await here.say("hello again")
        await expect(log).to_contain_text("I am back.")
        assert here.wrong == []


async def test_a_daemon_that_is_gone_is_told_and_the_page_stays_usable(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    async with visit(tmp_path) as here:
        await here.say("hello")
        await expect(here.page.locator(".said:not(.own) small")).to_have_count(1)
        here.daemon.kill()
        await here.daemon.gone()
        await here.say("are you there?")
        await expect(here.page.locator(".said.bad")).to_have_count(1)
        await expect(here.page.get_by_role("button", name="Send")).to_be_enabled()
        await here.daemon.start()
        await here.daemon.ready()
