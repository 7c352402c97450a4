"""The batches on a bot's page: how far each is, what it cost and saved; texts of others are texts."""

import asyncio
from dataclasses import replace

from runner.bots import Bot
from runner.money.amounts import from_cents
from runner.ports.batches import BatchState
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_book, a_bot
from tests.unit.agent.batch_world import PRICE, a_prompt
from tests.unit.web.dashboard_pages.browsing import Person
from tests.unit.web.web_stage import CUSTOM, Stage

BOT = a_bot("shop", channels=(CUSTOM,), cap=from_cents(500))
HOSTILE = "<script>alert(1)</script>"


def a_stage(bot: Bot = BOT) -> Stage:
    clock = ManualClock()
    return Stage((bot,), clock=clock, batches=FakeBatchServer(clock), book=a_book(PRICE))


async def test_a_bot_without_batches_has_no_card() -> None:
    async with a_stage() as stage:
        person = await Person(stage).sign_in()
        page = (await person.look("/bots/shop")).text
    assert 'id="batches"' not in page


async def test_batches_are_on_the_bots_page() -> None:
    async with a_stage() as stage:
        person = await Person(stage).sign_in()
        assert stage.batches is not None
        stage.batches.book.looks = None
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(stage.desk.run(), name="batches")
            await stage.desk.submit(BOT, [a_prompt(1), a_prompt(2)], label="nightly")
            await stage.clock.asleep()
            working.cancel()
        [batch] = await stage.store.batches.batches("shop", 1)
        assert batch.state is BatchState.RUNNING
        await stage.store.batches.save(replace(batch, reached=1, why=HOSTILE))
        await stage.desk.refuse(BOT, "no file", "k", "weekly")
        page = (await person.look("/bots/shop")).text
    card = page.partition('id="batches"')[2].partition("</section>")[0]
    assert "nightly" in card
    assert "1 of 2" in card
    assert "running" in card
    assert "held" in card
    assert "refused" in card
    assert "no file" in card
    assert HOSTILE not in page
    assert "&lt;script&gt;" in card
