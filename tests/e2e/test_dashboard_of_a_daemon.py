"""The dashboard of a daemon that runs, in a real browser: signing in, talking, capping, watching. No model is asked."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.browser import NEEDS_BROWSER, PATIENCE_MS, chromium
from tests.faults.daemon_process import Daemon

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page

pytestmark = NEEDS_BROWSER

CONFIG = """
server: {port: 0}
prices: {echo: {input: "100", output: "500"}}  # dear, so that a cap is reached soon
bots:
  shop:
    name: Shop
    platform: custom
    llm_provider: echo
    llm_model: echo
    system_prompt: You help in a shop.
    max_tokens_per_turn: 100
    spending_cap_cents: 500  # five dollars
  hello: {platform: custom, llm_provider: echo, llm_model: echo, enabled: false}
"""
REACHED = "Bot has reached its spending limit."


@dataclass
class Visit:
    """A daemon, and a browser that is signed in to it; `wrong`: what its pages complained of."""

    daemon: Daemon
    browser: "BrowserContext"
    page: "Page"
    wrong: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def watch(self, page: "Page") -> "Page":
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "console",
            lambda told: self.wrong.append(told.text) if told.type in {"error", "warning"} else None,
        )
        page.on("request", lambda request: self.asked.add(request.url))
        return page

    async def open(self, path: str) -> "Page":
        page = self.watch(await self.browser.new_page())
        await page.goto(self.daemon.url + path)
        return page


@asynccontextmanager
async def signed_in(folder: Path, **look: object) -> AsyncIterator[Visit]:
    with Daemon(folder, CONFIG) as daemon:
        await daemon.start()
        await daemon.ready()
        async with chromium() as browser:
            context = await browser.new_context(**look)  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE_MS)
            visit = Visit(daemon, context, await context.new_page())
            visit.watch(visit.page)
            await visit.page.goto(first_link(daemon))
            await visit.page.get_by_role("button", name="Sign in").press("Enter")
            await visit.page.wait_for_url(daemon.url + "/")
            yield visit
            await context.close()
        await daemon.stop()


def first_link(daemon: Daemon) -> str:
    [welcome] = daemon.events("dashboard")
    return str(welcome["link"])


@dataclass
class Talk:
    """The console of a bot."""

    page: "Page"

    @property
    def answers(self) -> "Locator":
        return self.page.get_by_role("log").locator(".said.bot .words")

    async def say(self, text: str, answers: int) -> None:
        from playwright.async_api import expect  # noqa: PLC0415 - may not be there

        message = self.page.get_by_role("textbox", name="Message")
        await message.fill(text)
        await message.press("Enter")
        await expect(self.answers).to_have_count(answers)
        await expect(message).to_be_focused()

    async def shows_figures(self) -> None:
        """Of the first answer."""
        from playwright.async_api import expect  # noqa: PLC0415 - may not be there

        answer = self.page.locator(".said.bot").first
        for told in (r"\$0\.0\d+ · \d+ in · \d+ out", "echo/echo", r"system prompt \d+"):
            await expect(answer.locator("footer")).to_contain_text(re.compile(told))
        await expect(answer.get_by_role("img", name=re.compile("^Tokens: system prompt"))).to_be_visible()


async def test_a_bot_is_talked_to_capped_stopped_and_revived(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    expect.set_options(timeout=PATIENCE_MS)
    async with signed_in(tmp_path) as here:
        overview = here.page
        await expect(overview.locator("#live")).to_have_text("Live")
        await expect(overview.locator("#stats .stat-figure").first).to_have_text("$0.00")
        await overview.evaluate("window.stayed = true")
        bot, talk = await here.open("/bots/shop"), Talk(await here.open("/console?bot=shop"))

        await talk.say("What does the <b>tea</b> cost?", 1)
        await expect(talk.answers).to_contain_text(["What does the <b>tea</b> cost?"])
        await talk.shows_figures()
        await expect(overview.locator("#stats .stat-figure").first).to_have_text(re.compile(r"\$0\.0[1-9]"))
        await expect(overview.locator("#chart-days-desc")).to_contain_text("in 30 days; the most on")
        await expect(overview.locator("#bots")).to_contain_text("1 message today")
        await expect(bot.locator("#stats .stat-figure").nth(1)).to_have_text("1")

        cap = bot.get_by_label("Spending cap", exact=True)
        await cap.fill("0.01")
        await bot.get_by_role("button", name="Save cap").click()
        await expect(bot.get_by_role("status").filter(has_text="The cap is saved")).to_be_visible()
        await expect(bot.locator("#limits")).to_contain_text("cap reached")
        assert "spending_cap_cents: 1  # five dollars" in here.daemon.config.read_text()
        await expect(overview.locator("#bots")).to_contain_text("Cap reached")
        await talk.say("And the coffee?", 2)
        await expect(talk.answers.last).to_have_text(REACHED)

        await cap.fill("3")
        await cap.press("Enter")
        await expect(bot.locator("#limits")).to_contain_text("of $3.00")
        await expect(overview.locator("#bots article").first).to_contain_text("Running")
        await talk.say("And now?", 3)
        await expect(talk.answers.last).to_contain_text("And now?")
        await talk.page.reload()
        await expect(talk.answers.nth(1)).to_have_text(REACHED)

        assert await overview.evaluate("window.stayed"), "the page was not loaded anew"
        assert here.wrong == []
        assert {url for url in here.asked if not url.startswith(here.daemon.url)} == set()


async def test_on_a_phone_and_by_keyboard_alone(tmp_path: Path) -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    expect.set_options(timeout=PATIENCE_MS)
    async with signed_in(tmp_path, viewport={"width": 360, "height": 740}) as here:
        page = here.page

        async def go_to(name: str) -> None:
            """Tab until the link has the focus, then follow it."""
            for _ in range(60):
                await page.keyboard.press("Tab")
                if await page.evaluate("document.activeElement.innerText") == name:
                    break
            await page.keyboard.press("Enter")

        await go_to("Shop")
        await page.wait_for_url("**/bots/shop")
        await go_to("Console")
        await page.wait_for_url("**/console**")
        await page.get_by_role("textbox", name="Message").focus()
        await page.keyboard.type("Hello")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Send")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("log").locator(".said.bot footer")).to_contain_text("echo/echo")
        for path in (
            "/",
            "/bots/shop",
            "/console?bot=shop",
            "/usage",
            "/wallet",
            "/bots/shop/settings",
            "/none",
        ):
            await page.goto(here.daemon.url + path)
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        await page.goto(here.daemon.url + "/wallet")
        await page.get_by_label("Amount in USD").fill("ten")
        await page.keyboard.press("Enter")
        await expect(page.locator("#top-up-fault")).to_contain_text("'ten' is no amount")
        await page.get_by_label("Amount in USD").fill("10")
        await page.keyboard.press("Enter")
        await expect(page.locator("#history")).to_contain_text("$10.00")
        await page.get_by_role("button", name="Sign out").press("Enter")
        await page.wait_for_url("**/login")
