"""Answers shown while they grow."""

import asyncio
from dataclasses import replace

from adapters.contract import Capabilities
from adapters.messages import ChatKind, OutboundMessage
from adapters.testing.fake import FakeAdapter
from runner.dispatch.drafts import FIRST_S, Drafts, NoDrafts, drafts_for
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_message

CAN = Capabilities(max_text=40, drafts=True, draft_every_s=2.0, draft_every_group_s=5.0)


async def test_an_answer_is_shown_as_it_grows_and_no_faster_than_allowed() -> None:
    adapter, clock = FakeAdapter(CAN), ManualClock()
    async with asyncio.TaskGroup() as tasks, Drafts(adapter, a_message(), "t1.1", clock, tasks) as drafts:
        drafts.hear("It grows ")
        await clock.asleep()
        assert clock.sleeps == [FIRST_S]
        clock.advance(FIRST_S)
        await adapter.drafted(1)
        drafts.hear("and grows")
        await clock.asleep()
        assert clock.sleeps == [FIRST_S, 2.0]
        clock.advance(2.0)
        await adapter.drafted(2)
    assert [(d.key, d.text) for d in adapter.drafts] == [
        ("t1.1", "It grows "),
        ("t1.1", "It grows and grows"),
    ]


async def test_a_new_attempt_begins_anew_and_a_long_answer_stands_still() -> None:
    adapter, clock = FakeAdapter(CAN), ManualClock()
    async with asyncio.TaskGroup() as tasks, Drafts(adapter, a_message(), "t1.1", clock, tasks) as drafts:
        drafts.hear("what a broken attempt said")
        drafts.begin()
        drafts.hear("the answer")
        await clock.asleep()
        clock.advance(FIRST_S)
        await adapter.drafted(1)
        drafts.hear("x" * 40)
        await clock.asleep()
        clock.advance(2.0)
    assert [draft.text for draft in adapter.drafts] == ["the answer"]


async def test_the_last_draft_arrives_before_the_answer_goes_out() -> None:
    class Slow(FakeAdapter):
        async def draft(self, message: OutboundMessage) -> None:
            begun.set()
            await may_end.wait()
            await super().draft(message)

    begun, may_end = asyncio.Event(), asyncio.Event()
    adapter, clock = Slow(CAN), ManualClock()
    over: list[str] = []

    async def answer(tasks: asyncio.TaskGroup) -> None:
        async with Drafts(adapter, a_message(), "t1.1", clock, tasks) as drafts:
            drafts.hear("It grows.")
            await clock.asleep()
            clock.advance(FIRST_S)
            await begun.wait()
        over.append(adapter.drafts[0].text)

    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(answer(tasks))
        await begun.wait()
        assert not over
        may_end.set()
        await answering
    assert over == ["It grows."]


async def test_groups_are_slower_and_a_failing_draft_is_no_news() -> None:
    class Broken(FakeAdapter):
        async def draft(self, message: OutboundMessage) -> None:
            await super().draft(message)
            raise OSError("gone")

    adapter, clock = Broken(CAN), ManualClock()
    message = a_message(chat="group")
    assert message.chat.kind is ChatKind.GROUP
    async with asyncio.TaskGroup() as tasks, Drafts(adapter, message, "t1.1", clock, tasks) as drafts:
        drafts.hear("It grows.")
        await clock.asleep()
        clock.advance(FIRST_S)
        await adapter.drafted(1)
        await clock.asleep()
    assert clock.sleeps == [FIRST_S, 5.0]


async def test_who_listens() -> None:
    clock, message = ManualClock(), a_message()
    silent = FakeAdapter(replace(CAN, drafts=False))
    async with asyncio.TaskGroup() as tasks:
        assert isinstance(drafts_for(FakeAdapter(CAN), message, "k", wanted=True)(clock, tasks), Drafts)
        for adapter, wanted in ((silent, True), (FakeAdapter(CAN), False), (None, True)):
            assert isinstance(drafts_for(adapter, message, "k", wanted=wanted)(clock, tasks), NoDrafts)
