"""What was missed is read from the history, in order; what is taken slowly holds up nobody else."""

import asyncio

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.discord.intake import MOST_PAGES, PAGE
from adapters.messages import ChatKind, ChatRef, InboundMessage, Sender
from adapters.testing.discord_parts import Fault, FaultKind
from tests.faults.discord_bench import TOKEN, bot

pytestmark = pytest.mark.faults
CONNECTING, UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.CONNECTING,
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)
ACCEPTED = Delivery(DeliveryState.ACCEPTED)


def earlier(
    chat: str, number: str | None, kind: ChatKind = ChatKind.DIRECT, account: str = "4242"
) -> InboundMessage:
    """What was accepted last in a chat; without a number a command."""
    details = {"interaction": "1"} if number is None else {"message_id": number}
    return InboundMessage("e", ChatRef(chat, kind), Sender("1"), "hi", account, details=details)


async def test_a_session_that_is_gone_is_begun_anew_and_the_gap_is_filled_in_order() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.application.say("direct")
        one.application.say("in the channel", channel="700", mention=True)
        await one.until(lambda: len(one.delivered) == 2)
        one.application.sessions.clear()
        for number in range(120):
            one.application.say(f"missed {number}", channel="700", mention=True)
        one.application.say("missed directly")
        one.server.close(TOKEN, 4009)
        await one.until(lambda: len(one.delivered) >= 123)
        one.application.say("after", channel="700", mention=True)
        await one.hears("after")
        channel = [message.text for message in one.delivered if message.chat.id == "700"]
        assert channel == ["in the channel", *(f"missed {number}" for number in range(120)), "after"]
        assert "missed directly" in one.heard
        assert one.application.identified == 2


async def test_what_was_said_before_the_start_is_read_back_as_far_as_allowed() -> None:
    async with bot(running=False, backfill_minutes=10) as one:
        old = one.application.snowflake(ago_ms=11 * 60_000)
        one.application.say("too old", channel="700", mention=True, id=old)
        one.application.say("missed", channel="700", mention=True)
        one.application.say("missed, not for us", channel="700")
        one.application.closed.add("800")
        one.application.say("not ours to read", channel="800", mention=True)
        direct = one.application.say("missed directly")
        [chat] = one.application.direct.values()
        one.adapter.recall([earlier("999", None), earlier(chat, None)])
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: len(one.delivered) == 3)
            one.application.say("live", channel="700", mention=True)
            await one.hears("live")
            task.cancel()
        assert [message.text for message in one.delivered if message.chat.id == "700"] == [
            "missed",
            "missed, not for us",
            "live",
        ]
        assert [message.addressed for message in one.delivered if message.text == "missed, not for us"] == [
            False
        ]
        assert direct in [message.event_id for message in one.delivered]
        assert UP is one.states[-1]


async def test_a_channel_is_read_from_the_latest_message_that_was_accepted_before() -> None:
    async with bot(running=False) as one:
        direct = [one.application.say(f"direct {number}") for number in range(4)]
        spoken = [one.application.say(str(n), channel="700", mention=True) for n in range(4)]
        other = one.application.say("all known", channel="701", mention=True)
        [chat] = one.application.direct.values()
        one.adapter.recall(
            [
                earlier("700", spoken[1], ChatKind.GROUP),
                earlier("700", spoken[0], ChatKind.GROUP),
                earlier("701", other, ChatKind.GROUP),
                earlier(chat, direct[2]),
                earlier(chat, direct[3], account="another bot"),
            ]
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: len(one.delivered) == 3)
            one.application.say("live", channel="701", mention=True)
            await one.hears("live")
            task.cancel()
        assert sorted(one.heard) == ["2", "3", "direct 3", "live"]
        assert one.application.calls["GET /channels/{id}/messages"] == 2


async def test_nothing_is_read_back_where_that_is_switched_off() -> None:
    async with bot(running=False, backfill_minutes=0) as one:
        one.application.say("missed", channel="700", mention=True)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: one.application.identified == 1)
            one.application.say("live", channel="700", mention=True)
            await one.hears("live")
            task.cancel()
        assert one.heard == ["live"]
        assert one.application.calls["GET /channels/{id}/messages"] == 0


async def test_of_a_gap_that_is_too_long_the_latest_are_read_and_it_is_said() -> None:
    async with bot(running=False) as one:
        for number in range(PAGE * MOST_PAGES + 5):
            one.application.say(str(number), channel="700", mention=True)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: len(one.delivered) == PAGE * MOST_PAGES)
            one.application.say("live", channel="700", mention=True)
            await one.hears("live")
            task.cancel()
        assert one.heard == [*map(str, range(5, PAGE * MOST_PAGES + 5)), "live"]
        assert any(state is DEGRADED and "missed" in why for state, why in one.reports)


async def test_a_gap_of_several_pages_is_filled_whole() -> None:
    async with bot(running=False) as one:
        texts = [str(number) for number in range(PAGE * MOST_PAGES)]
        for text in texts:
            one.application.say(text, channel="700", mention=True)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: len(one.delivered) >= len(texts))
            one.application.say("live", channel="700", mention=True)
            await one.hears("live")
            task.cancel()
        assert one.heard == [*texts, "live"]
        assert not any("missed" in why for _, why in one.reports)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.ANSWER, 500, "<html>"),
        Fault(FaultKind.ANSWER, 200, "{"),
        Fault(FaultKind.ANSWER, 200, "null"),
        Fault(FaultKind.DROP_BEFORE),
        Fault(FaultKind.ANSWER, 429, '{"retry_after": 3}', {"Via": "1.1 google"}),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.body[:5]}",
)
async def test_a_history_that_fails_is_asked_again(fault: Fault) -> None:
    async with bot(running=False) as one:
        one.application.say("missed", channel="700", mention=True)
        one.application.fail("GET /channels/{id}/messages", fault, 3)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.hears("missed")
            task.cancel()
        assert one.timer.slept


async def test_more_than_there_is_room_for_is_read_from_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.discord.intake.MOST_WAITING", 10)
    async with bot() as one:
        await one.reaches(UP)
        may_go = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await may_go.wait()
            return ACCEPTED

        one.hook = hook
        texts = [f"number {number}" for number in range(150)]
        for text in texts:
            one.application.say(text, channel="700", mention=True)
        last = one.application.sessions["session-1"].last
        await one.until(lambda: one.application.sessions["session-1"].last == last)
        one.server.reconnect(TOKEN)  # all of them were read from the socket once it is resumed
        await one.until(lambda: one.application.resumed == 1)
        await one.reaches(UP, DOWN, UP)
        may_go.set()
        await one.until(lambda: len(one.delivered) >= 150)
        assert one.heard == texts
        assert one.application.calls["GET /channels/{id}/messages"] >= 1


async def test_a_channel_that_is_held_up_holds_up_no_other() -> None:
    async with bot() as one:
        slow_may_go = asyncio.Event()

        async def hook(message: InboundMessage) -> Delivery:
            if message.text == "slow":
                await slow_may_go.wait()
            return ACCEPTED

        one.hook = hook
        await one.reaches(UP)
        for text, channel in (("slow", "700"), ("after slow", "700"), ("quick", "701")):
            one.application.say(text, channel=channel, mention=True)
        await one.hears("slow", "quick")
        slow_may_go.set()
        await one.hears("slow", "quick", "after slow")


async def test_what_the_daemon_does_not_take_is_handed_in_again() -> None:
    async with bot() as one:
        answers = [Delivery(DeliveryState.OVERLOADED, 3.0), Delivery(DeliveryState.LIMITED, 0.0), ACCEPTED]

        async def hook(_: InboundMessage) -> Delivery:
            return answers.pop(0)

        one.hook = hook
        await one.reaches(UP)
        one.application.say("take me")
        await one.until(lambda: not answers)
        assert one.heard == ["take me"] * 3
        assert one.timer.slept[-2:] == [3.0, 0.05]
