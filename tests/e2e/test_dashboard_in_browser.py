"""The dashboard's pages in a real browser, with made-up figures: they fit a phone, need nothing from elsewhere,
follow the theme, stay up to date and send their forms without a reload."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aiohttp import web

from runner.testing import dashboard_scenes as scenes
from runner.testing.dashboard_bots import frame, overview
from runner.web.dashboard.render import CONTENT_POLICY, STATIC_PATH, Renderer, load_assets
from runner.web.dashboard.views import ConsolePage, Frame, Overview, PageView, Said
from tests.e2e.browser import NEEDS_BROWSER, PATIENCE_MS, chromium

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = NEEDS_BROWSER


@dataclass
class Host:
    """Serves made-up pages under the dashboard's own content policy.

    Attributes:
        shown: the page of each path; a test may change it.
        posted: the forms that came; each is answered by its page.
        listening: set while somebody listens to events; `news`: what is told next.
    """

    shown: dict[str, tuple[Frame, PageView]]
    posted: list[dict[str, str]] = field(default_factory=list)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self._assets = load_assets()
        self._renderer = Renderer(self._assets)
        self.answering.set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/events", self._events),
            web.get(STATIC_PATH + "{name}", self._asset),
            web.get("/{path:.*}", self._page),
            web.post("/{path:.*}", self._post),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        found = self.shown.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        text = self._renderer.page(*found)
        return web.Response(
            text=text, content_type="text/html", headers={"Content-Security-Policy": CONTENT_POLICY}
        )

    async def _post(self, request: web.Request) -> web.Response:
        self.posted.append({name: str(value) for name, value in (await request.post()).items()})
        await self.answering.wait()
        return await self._page(request)

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._assets[request.match_info["name"]]
        return web.Response(body=asset.body, content_type=asset.content_type)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": listening\n\n")
        self.listening.set()
        await self.news.wait()
        with suppress(ConnectionError):  # the browser may be gone
            await response.write(b"event: change\ndata: {}\n\n")
        return response


@dataclass
class Visit:
    host: Host
    page: "Page"
    wrong: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)


@asynccontextmanager
async def visit(shown: Mapping[str, tuple[Frame, PageView]], **look: object) -> AsyncIterator[Visit]:
    host = Host(dict(shown))
    app = web.Application()
    app.add_routes(host.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with chromium() as browser:
            page = await browser.new_page(**look)  # type: ignore[arg-type]
            page.set_default_timeout(PATIENCE_MS)
            here = Visit(host, page)
            page.on("pageerror", lambda error: here.wrong.append(str(error)))
            page.on(
                "console",
                lambda told: here.wrong.append(told.text) if told.type in {"error", "warning"} else None,
            )
            page.on("request", lambda request: here.asked.add(request.url))
            yield here
    finally:
        host.news.set()
        await runner.cleanup()


async def test_every_page_fits_a_phone_and_asks_nobody_else() -> None:
    pages = {f"/{name}": page for name, page in scenes.pages().items()}
    async with visit(pages, viewport={"width": 360, "height": 740}) as here:
        for path in pages:
            await here.page.goto(here.host.url + path)
            over = await here.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, path
        assert here.wrong == []
        assert {url for url in here.asked if not url.startswith(here.host.url)} == set()


async def test_the_theme_follows_the_system_until_one_is_chosen() -> None:
    async with visit({"/": (frame(), overview())}, color_scheme="dark") as here:
        page = here.page
        back = "getComputedStyle(document.body).backgroundColor"
        await page.goto(here.host.url)
        dark = await page.evaluate(back)
        button = page.locator("#theme")
        await button.click()
        assert await button.inner_text() == "Theme: light"
        light = await page.evaluate(back)
        assert light != dark
        await page.reload()
        assert await page.evaluate(back) == light
        assert here.wrong == []


async def test_what_changes_is_seen_without_a_reload() -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    view = overview()
    async with visit({"/": (frame(), view)}) as here:
        page = here.page
        await page.goto(here.host.url)
        await page.evaluate("window.stayed = true")
        await page.locator("#chart-days-table summary").click()
        await asyncio.wait_for(here.host.listening.wait(), PATIENCE_MS / 1000)
        await expect(page.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)
        changed = replace(view.bots[1], messages_today=4242)
        assert isinstance(view, Overview)
        here.host.shown["/"] = (frame(config_fault="bots.yaml:3: oh"), replace(view, bots=(changed,)))
        here.host.news.set()
        await expect(page.locator("#bots")).to_contain_text("4,242 messages today", timeout=PATIENCE_MS)
        await expect(page.locator("#bots article")).to_have_count(1)
        await expect(page.get_by_role("alert")).to_contain_text("bots.yaml:3: oh")
        assert await page.evaluate("window.stayed")
        assert await page.locator("#chart-days-table").evaluate("one => one.open")


async def test_the_console_answers_without_a_reload_and_keeps_what_was_not_taken() -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    session, view = scenes.fresh_pages()["console-one"]
    assert isinstance(view, ConsolePage)
    async with visit({"/console": (session, view)}) as here:
        page, talk = here.page, here.page.get_by_role("log")
        await page.goto(here.host.url + "/console")
        await page.evaluate("window.stayed = true")
        here.host.answering.clear()
        await page.get_by_role("textbox", name="Message").fill("What is <b>this</b>?")
        await page.get_by_role("textbox", name="Message").press("Enter")
        await expect(talk.locator(".said.user .words")).to_have_text(
            "What is <b>this</b>?", timeout=PATIENCE_MS
        )
        await expect(page.get_by_role("button", name="Send")).to_be_disabled(timeout=PATIENCE_MS)
        answered = scenes.pages()["console"][1]
        assert isinstance(answered, ConsolePage)
        here.host.shown["/console"] = (session, replace(view, said=(Said("user", "What?"), answered.said[1])))
        here.host.answering.set()
        await expect(talk.locator(".said.bot footer")).to_contain_text(
            "$0.0042 · 3,412 in", timeout=PATIENCE_MS
        )
        await expect(talk.locator(".said.bot footer")).to_contain_text("system prompt 1,210")
        await expect(page.get_by_role("textbox", name="Message")).to_have_value("", timeout=PATIENCE_MS)
        assert await page.evaluate("window.stayed")
        assert here.host.posted == [{"csrf": "made-up-csrf", "message": "What is <b>this</b>?"}]
        await page.route("**/console*", lambda route: route.abort())
        await page.get_by_role("textbox", name="Message").fill("Still there?")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("alert")).to_contain_text("did not answer", timeout=PATIENCE_MS)
        await expect(page.get_by_role("textbox", name="Message")).to_have_value("Still there?")


async def test_with_no_script_the_pages_work_by_keyboard() -> None:
    from playwright.async_api import expect  # noqa: PLC0415 - may not be there

    shown = {
        "/": (frame(), scenes.handoffs()),
        "/handoffs/ht12.ask/reject": (frame(), scenes.handoffs()),
    }
    async with visit(shown, java_script_enabled=False) as here:
        page = here.page
        await page.goto(here.host.url)
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to the content")).to_be_focused()
        await page.get_by_label("Comment").first.fill("no refunds")
        await page.get_by_role("button", name="Reject").first.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/handoffs/ht12.ask/reject")
        assert here.host.posted == [{"csrf": "made-up-csrf", "comment": "no refunds"}]
