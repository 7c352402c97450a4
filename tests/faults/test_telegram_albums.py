"""Albums that come in pieces, with crashes in between."""

import asyncio

import pytest

from adapters.contract import Delivery, DeliveryState
from adapters.messages import InboundMessage
from adapters.telegram.albums import HOLD_S
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.telegram_bench import Bot, bot

pytestmark = pytest.mark.faults
ACCEPTED, DUPLICATE = Delivery(DeliveryState.ACCEPTED), Delivery(DeliveryState.DUPLICATE)


def picture(one: Bot, name: str, album: str = "a", user: int = 1, caption: str = "") -> int:
    photo = [{"file_id": name, "width": 1, "height": 1}]
    return one.account.say("", user_id=user, photo=photo, media_group_id=album, caption=caption)


def told(message: InboundMessage) -> tuple[str, list[str]]:
    return message.event_id, [attachment.reference for attachment in message.attachments]


async def test_an_album_is_one_message() -> None:
    async with bot(running=False) as one:
        picture(one, "p1", caption="two of them")
        picture(one, "p2")
        one.account.say("and this", user_id=2)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert [told(message) for message in one.delivered] == [("1003", []), ("album:a", ["p1", "p2"])]
        assert one.delivered[1].text == "two of them"
        assert one.timer.slept == [HOLD_S]


async def test_parts_that_come_while_it_is_held_are_of_it() -> None:
    async with bot(running=False) as one:
        picture(one, "p1")
        one.account.say("from another", user_id=2)

        async def hook(message: InboundMessage) -> Delivery:
            if message.text == "from another":
                picture(one, "p2")
            return ACCEPTED

        one.hook = hook
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert [told(message) for message in one.delivered] == [("1002", []), ("album:a", ["p1", "p2"])]
        assert one.timer.slept == [HOLD_S, HOLD_S]


async def test_an_album_whose_chat_went_on_is_not_held() -> None:
    async with bot(running=False) as one:
        picture(one, "p1")
        picture(one, "p2")
        one.account.say("what do you say?")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert [told(message)[0] for message in one.delivered] == ["album:a", "1003"]
        assert one.timer.slept == []


async def test_nothing_of_a_held_album_is_confirmed() -> None:
    async with bot() as one:
        one.account.say("before")
        await one.account.drained()
        waits = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await waits.wait()
            return ACCEPTED

        one.hook = hook
        picture(one, "p1")
        picture(one, "p2")
        await one.until(lambda: len(one.delivered) == 2)
        assert len(one.account.waiting) == 2
        waits.set()
        await one.account.drained()


async def test_after_a_crash_between_durable_and_confirmed_it_is_the_same_message() -> None:
    async with bot(running=False) as one:
        stored: set[str] = set()

        async def hook(message: InboundMessage) -> Delivery:
            fresh = message.event_id not in stored
            stored.add(message.event_id)
            if fresh and message.attachments:
                raise asyncio.CancelledError  # the process ends here
            return ACCEPTED if fresh else DUPLICATE

        one.hook = hook
        picture(one, "p1")
        picture(one, "p2")
        one.account.say("after", user_id=2)
        with pytest.raises(asyncio.CancelledError):
            await one.run()
        assert len(one.account.waiting) == 3
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert stored == {"album:a", "1003"}
        assert [told(message)[0] for message in one.delivered] == ["1003", "album:a", "1003", "album:a"]


async def test_a_late_part_is_a_message_of_its_own_and_once() -> None:
    async with bot() as one:
        picture(one, "p1")
        await one.account.drained()
        picture(one, "p2")
        await one.account.drained()
        assert [told(message) for message in one.delivered] == [("album:a", ["p1"]), ("album:a:1002", ["p2"])]


async def test_network_faults_while_it_is_held_lose_nothing() -> None:
    async with bot(running=False) as one:
        picture(one, "p1")
        picture(one, "p2")

        async def hook(message: InboundMessage) -> Delivery:
            if message.text == "now":
                one.account.fail("getUpdates", Fault(FaultKind.DROP_BEFORE), times=2)
            return ACCEPTED

        one.hook = hook
        one.account.say("now", user_id=2)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert [told(message) for message in one.delivered] == [("1003", []), ("album:a", ["p1", "p2"])]


async def test_the_menu_is_set_once_and_stops_nobody() -> None:
    async with bot(running=False) as one:
        one.account.fail("setMyCommands", Fault(FaultKind.ANSWER, 500, "<html>"))
        one.account.say("hello")
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one.run())
                await one.account.called("getUpdates", one.account.calls["getUpdates"] + 1)
                await one.account.drained()
                task.cancel()
        assert [command["command"] for command in one.account.commands] == ["start", "help", "reset", "new"]
        assert one.account.calls["setMyCommands"] == 2
