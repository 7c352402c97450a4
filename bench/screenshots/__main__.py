"""`make screenshots`: the pictures of the dashboard in docs/images, of a made-up shop that runs.

    python -m bench.screenshots [--into docs/images] [--only overview]

The daemon is the real one, its platform is made up, its past is put into its store; Chromium looks at its pages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from adapters.testing.telegram_server import TelegramServer
from bench.screenshots.seeding import seed
from bench.screenshots.shop import ACCOUNTS, CONFIG
from runner.clock import SystemClock
from runner.presence import read_presence
from runner.web.auth import load_secret
from runner.web.seals import link_to, new_link

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
]
MOST_BYTES = 200_000
GLANCE_S = 0.05
DESK: Mapping[str, int] = {"width": 1280, "height": 900}
PHONE: Mapping[str, int] = {"width": 390, "height": 844}


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    path: str
    scheme: str = "light"
    size: Mapping[str, int] | None = None


PICTURES = (
    Picture("overview", "/"),
    Picture("overview-dark", "/", "dark"),
    Picture("bot", "/bots/support", size={"width": 1280, "height": 1180}),
    Picture("console", "/console?bot=support"),
    Picture("usage", "/usage?group_by=day,bot"),
    Picture("wallet", "/wallet"),
    Picture("settings", "/bots/support/settings", "dark"),
    Picture("phone", "/", size=PHONE),
    Picture("phone-bot", "/bots/support", "dark", PHONE),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.screenshots", description="Pictures for the docs.")
    parser.add_argument("--into", type=Path, default=Path(__file__).parents[2] / "docs" / "images")
    parser.add_argument("--only", action="append", choices=[one.name for one in PICTURES])
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    wanted = [one for one in PICTURES if not given.only or one.name in given.only]
    asyncio.run(take(wanted, given.into))


async def take(wanted: list[Picture], into: Path) -> None:
    """Take them, each smaller than `MOST_BYTES`."""
    with tempfile.TemporaryDirectory(prefix="botrunner-shop-") as folder:
        async with shop(Path(folder)) as (url, state_dir), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for one in wanted:
                link = link_to(url, new_link(load_secret(state_dir, None), SystemClock().now_ms()))
                path = into / f"{one.name}.png"
                await picture(browser, url, link, one, path)
                size = path.stat().st_size
                print(f"{path}: {size:,} bytes")
                if size > MOST_BYTES:
                    sys.exit(f"{path} is larger than {MOST_BYTES:,} bytes")
            await browser.close()


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """The shop's daemon; its address and its state folder."""
    state_dir, config = folder / "state", folder / "bots.yaml"
    state_dir.mkdir()
    caps = await seed(state_dir)
    telegram = TelegramServer()
    await telegram.start()
    for token in ACCOUNTS:
        telegram.account(token)
    config.write_text(CONFIG.format(telegram=telegram.url, **caps))
    environ = {**os.environ, "BOTRUNNER_STATE": str(state_dir)}
    with (folder / "log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runner", "run", "--config", str(config)), env=environ, stderr=log
        )
    try:
        while (found := read_presence(state_dir)) is None:
            if daemon.returncode is not None:
                sys.exit((folder / "log").read_text())
            await asyncio.sleep(GLANCE_S)
        yield found.url, state_dir
    finally:
        if daemon.returncode is None:
            daemon.terminate()
            await daemon.wait()
        await telegram.stop()


async def picture(browser: Browser, url: str, link: str, one: Picture, path: Path) -> None:
    """One page, when all of it is there."""
    size = one.size or DESK
    context = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if one.scheme == "dark" else "light",
        device_scale_factor=1.5 if one.size is PHONE else 1,
    )
    page = await context.new_page()
    await page.goto(link)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{url}/")
    await page.goto(url + one.path)
    await expect(page.locator("#live")).to_have_text("Live")
    await expect(page.get_by_text("Connecting")).to_have_count(0)
    await page.screenshot(path=path)
    await context.close()


main()
