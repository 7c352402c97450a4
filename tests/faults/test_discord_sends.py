"""What becomes of a message to Discord: in a channel it is never doubled, a command's answer never lost."""

import asyncio
from typing import Any

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.errors import RefusedConnection, Unreachable
from adapters.messages import ChatRef, FateUnknown, InboundMessage, NotSent, Rejected, Sent
from adapters.testing.discord_parts import EPHEMERAL, Asked, Fault, FaultKind
from tests.faults.discord_bench import HASTY, SECRET, Bot, bot

pytestmark = pytest.mark.faults
POST = "POST /channels/{id}/messages"
CALLBACK = "POST /interactions/{id}/{id}/callback"
EDIT = "PATCH /webhooks/{id}/{id}/messages/@original"
FOLLOW_UP = "POST /webhooks/{id}/{id}"
VIA = {"Via": "1.1 google"}


async def test_sent_names_the_message_and_shows_markdown() -> None:
    async with bot(running=False) as one:
        result = await one.send("**häppy** 🎉 @everyone", details={"message_id": "9"})
        (sent,) = one.application.sent
        assert result == Sent(sent.id)
        assert (sent.text, sent.reply_to, sent.pinged) == ("**häppy** 🎉 @\u200beveryone", "9", False)


async def test_no_connection_is_not_sent() -> None:
    async with bot(running=False, up=False) as one:
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.retry_after_s, result.whole_bot) == (None, False)


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (Fault(FaultKind.DROP_BEFORE), 0),
        (Fault(FaultKind.DROP_AFTER), 1),
        (Fault(FaultKind.HANG), 0),
        (Fault(FaultKind.ANSWER, 500, "<html>"), 0),
        (Fault(FaultKind.ANSWER, 502, '{"message": "502: Bad Gateway", "code": 0}'), 0),
        (Fault(FaultKind.ANSWER, 200, "{"), 0),
        (Fault(FaultKind.ANSWER, 200, "[]"), 0),
        (Fault(FaultKind.ANSWER, 403, "<p>a proxy's page</p>"), 0),
    ],
    ids=lambda value: (
        f"{value.kind}-{value.status}-{value.body[:8]}" if isinstance(value, Fault) else str(value)
    ),
)
async def test_what_may_have_arrived_may_go_again_and_is_not_doubled(fault: Fault, arrived: int) -> None:
    async with bot(patience=HASTY, running=False) as one:
        assert one.adapter.capabilities.resends_unknown
        one.application.fail(POST, fault)
        assert isinstance(await one.send(key="turn.1"), FateUnknown)
        assert (len(one.application.sent), one.application.calls[POST]) == (arrived, 1)
        assert isinstance(await one.send(key="turn.1"), Sent)
        assert isinstance(await one.send(key="turn.2"), Sent)
        assert len(one.application.sent) == 2


async def test_a_refusal_is_final_and_says_why() -> None:
    async with bot(running=False) as one:
        one.application.closed.add("700")
        assert await one.send() == Rejected("Missing Access (code 50001)")
        assert await one.send(chat="123") == Rejected("Unknown Channel (code 10003)")
        assert await one.send(chat="../users/@me") == Rejected("no channel of Discord has this id")
        one.application.closed.clear()
        assert await one.send("x" * 2001) == Rejected("Invalid Form Body (code 50035)")
        assert await one.send(" ") == Rejected("Cannot send an empty message (code 50006)")


async def test_a_limit_that_discord_announces_is_kept_without_asking() -> None:
    async with bot(running=False) as one:
        one.application.limits = True
        one.application.channels["701"] = []
        for number in range(5):
            assert isinstance(await one.send(key=str(number)), Sent)
        held = await one.send(key="5")
        assert isinstance(held, NotSent)
        assert held.retry_after_s is not None
        assert 4 < held.retry_after_s <= 5
        assert not held.whole_bot
        assert one.application.calls[POST] == 5
        assert isinstance(await one.send(chat="701", key="6"), Sent)
        await one.timer.sleep(held.retry_after_s)
        refused = await one.send(key="5")  # by the real clock it is still too early, and Discord says so
        assert isinstance(refused, NotSent)
        assert one.application.calls[POST] == 7


@pytest.mark.parametrize(
    ("fault", "seconds", "whole"),
    [
        (Fault(FaultKind.ANSWER, 429, '{"retry_after": 1.5, "global": false}', VIA), 1.5, False),
        (Fault(FaultKind.ANSWER, 429, '{"retry_after": 7, "global": true}', VIA), 7, True),
        (Fault(FaultKind.ANSWER, 429, '{"retry_after": 7}', {**VIA, "X-RateLimit-Scope": "global"}), 7, True),
        (Fault(FaultKind.ANSWER, 429, "{}", {**VIA, "Retry-After": "9"}), 9, False),
        (Fault(FaultKind.ANSWER, 429, "<html>banned</html>", {"Retry-After": "900"}), 900, True),
        (Fault(FaultKind.ANSWER, 429, "error code: 1015"), 300, True),
    ],
    ids=str,
)
async def test_a_pace_for_one_channel_and_for_the_whole_bot(
    fault: Fault, seconds: float, *, whole: bool
) -> None:
    async with bot(running=False) as one:
        one.application.channels["701"] = []
        one.application.fail(POST, fault)
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.retry_after_s, result.whole_bot) == (seconds, whole)
        assert isinstance(await one.send(chat="701"), NotSent if whole else Sent)
        assert one.application.calls[POST] == (1 if whole else 2)
        await one.timer.sleep(seconds)
        assert isinstance(await one.send(), Sent)


async def test_a_dead_token_keeps_the_message_for_the_next_one() -> None:
    async with bot(running=False) as one:
        one.application.revoked = True
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.whole_bot, result.retry_after_s) == (True, 60)
        with pytest.raises(RefusedConnection, match="token"):
            await one.adapter.who_am_i()


async def test_who_it_is_and_what_is_wrong_in_the_portal() -> None:
    async with bot(running=False) as one:
        assert await one.adapter.who_am_i() == "fake-bot (4242)"
        one.application.posts_to = "https://bots.example/hook"
        assert "posted elsewhere" in await one.adapter.who_am_i()
        one.application.flags = 0
        with pytest.raises(RefusedConnection, match="Message Content intent is off"):
            await one.adapter.who_am_i()
        one.application.fail("GET /users/@me", Fault(FaultKind.ANSWER, 200, "[]"))
        with pytest.raises(Unreachable):
            await one.adapter.who_am_i()
    async with bot(running=False, public_key="00" * 32, application_id="77777") as one:
        with pytest.raises(RefusedConnection, match=r"application_id is 77777.*public_key is not"):
            await one.adapter.who_am_i()


async def test_without_network_it_is_unreachable_and_no_error_shows_the_token() -> None:
    async with bot(running=False, up=False) as one:
        with pytest.raises(Unreachable) as caught:
            await one.adapter.who_am_i()
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error!r}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def test_working_is_shown_and_a_failure_of_it_is_nobodys_business() -> None:
    async with bot(running=False) as one:
        await one.adapter.show_working(ChatRef("700"))
        await one.adapter.show_working(ChatRef("999"))
        assert one.application.calls["POST /channels/{id}/typing"] == 2


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────


async def answered(one: Bot, text: str = "how?") -> tuple[Asked, dict[str, Any]]:
    """Ask, and wait until that is acknowledged."""
    await one.reaches(ConnectionState.UP)
    asked = one.application.ask("ask", text)
    await one.until(lambda: asked.answer is not None)
    return asked, dict(one.delivered[-1].details) if one.delivered else {}


async def test_a_command_gets_a_placeholder_and_its_answer_in_it() -> None:
    async with bot() as one:
        asked, details = await answered(one)
        assert asked.answer == {"type": 5}
        assert isinstance(await one.send("first", key="t.1", details=details), Sent)
        assert isinstance(await one.send("second", key="t.2", details=details), Sent)
        assert [(sent.text, sent.way) for sent in one.application.sent] == [
            ("first", "placeholder"),
            ("second", "channel"),
        ]


async def test_an_answer_waits_for_its_acknowledgement() -> None:
    async with bot() as one:
        results: list[object] = []

        async def hook(message: InboundMessage) -> Delivery:
            # As fast as can be: the answer is there before deliver has returned.
            group.create_task(note(one.send("fast", details=dict(message.details))))
            return Delivery(DeliveryState.ACCEPTED)

        async def note(sending: Any) -> None:
            results.append(await sending)
            one.application.bell.ring()

        one.hook = hook
        async with asyncio.TaskGroup() as group:
            await answered(one)
            await one.until(lambda: bool(results))
        assert isinstance(results[0], Sent)
        assert one.application.sent[0].way == "placeholder"


@pytest.mark.parametrize(
    ("delivery", "says"),
    [
        (Delivery(DeliveryState.IGNORED), "does not answer you"),
        (Delivery(DeliveryState.LIMITED, 12.2), "in 13 s"),
        (Delivery(DeliveryState.OVERLOADED, 0.0), "in 1 s"),
    ],
)
async def test_who_is_not_taken_is_told(delivery: Delivery, says: str) -> None:
    async with bot() as one:

        async def hook(_: InboundMessage) -> Delivery:
            return delivery

        one.hook = hook
        asked, _ = await answered(one)
        assert asked.answer is not None
        assert says in asked.answer["data"]["content"]
        assert asked.answer["data"]["flags"] == EPHEMERAL


async def test_what_is_not_durable_in_time_is_told_and_answered_all_the_same() -> None:
    async with bot(patience=HASTY) as one:

        async def hook(_: InboundMessage) -> Delivery:
            await asyncio.Event().wait()
            raise AssertionError

        one.hook = hook
        asked, details = await answered(one)
        assert asked.answer is not None
        assert "again" in asked.answer["data"]["content"]
        assert isinstance(await one.send("it was stored", details=details), Sent)


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.HANG])
async def test_an_edit_of_unknown_fate_is_the_same_edit_again(kind: FaultKind) -> None:
    async with bot(patience=HASTY) as one:
        _, details = await answered(one)
        one.application.fail(EDIT, Fault(kind))
        assert isinstance(await one.send("once", key="t.1", details=details), FateUnknown)
        assert isinstance(await one.send("once", key="t.1", details=details), Sent)
        assert [sent.text for sent in one.application.sent] == ["once"]


async def test_after_a_restart_an_answer_finds_how_far_it_came() -> None:
    async with bot() as one:
        _, details = await answered(one)
        async with bot(running=False) as other:
            details_elsewhere = {**details}
            other.application.asked, other.application.channels = (
                one.application.asked,
                one.application.channels,
            )
            assert isinstance(await other.send("first", key="t.1", details=details_elsewhere), Sent)
            assert isinstance(await other.send("first", key="t.1", details=details_elsewhere), Sent)
            assert isinstance(await other.send("second", key="t.2", details=details_elsewhere), Sent)
            assert [(sent.text, sent.way) for sent in other.application.sent] == [
                ("first", "placeholder"),
                ("second", "channel"),
            ]


async def test_a_command_that_is_too_old_or_was_never_acknowledged_is_answered_in_the_channel() -> None:
    async with bot(running=False) as one:
        details = {"interaction": "1", "application": "4242", "token": "gone"}
        assert isinstance(await one.send("late", details=details), Sent)
        assert one.application.sent[0].way == "channel"


async def test_a_command_that_another_daemon_took_in_waits_for_its_acknowledgement() -> None:
    async with bot(running=False) as one:
        asked = one.application.ask("ask", "how?")
        details = {"interaction": asked.id, "application": "4242", "token": asked.token}
        early = await one.send("so", details=details)
        assert isinstance(early, NotSent)
        assert early.retry_after_s == 1
        one.application.acknowledge(asked.token, {"type": 5})
        assert isinstance(await one.send("so", details=details), Sent)
        assert [(sent.text, sent.way) for sent in one.application.sent] == [("so", "placeholder")]


async def test_where_the_bot_is_no_member_further_parts_follow_up() -> None:
    async with bot() as one:
        _, details = await answered(one)
        one.application.closed.add("700")
        assert isinstance(await one.send("first", key="t.1", details=details), Sent)
        assert isinstance(await one.send("second", key="t.2", details=details), Sent)
        assert [sent.way for sent in one.application.sent] == ["placeholder", "follow-up"]
        assert one.application.calls[FOLLOW_UP] == 1


async def test_a_failed_acknowledgement_shows_and_the_answer_comes_in_the_channel() -> None:
    async with bot() as one:
        await one.reaches(ConnectionState.UP)
        one.application.fail(CALLBACK, Fault(FaultKind.ANSWER, 500, "{}"))
        one.application.ask("ask", "how?")
        await one.reaches(ConnectionState.UP, ConnectionState.DEGRADED)
        details = dict(one.delivered[0].details)
        early = await one.send("answer", details=details)
        assert isinstance(early, NotSent)
        assert early.retry_after_s == 1
        await one.timer.sleep(10)
        assert isinstance(await one.send("answer", details=details), Sent)
        assert one.application.sent[0].way == "channel"


async def test_other_interactions_are_answered_too() -> None:
    async with bot() as one:
        await one.reaches(ConnectionState.UP)
        for kind, answer in ((3, 6), (4, 8), (5, 4)):
            asked = one.application.ask("ask", "x")
            await one.until(lambda asked=asked: asked.answer is not None)  # type: ignore[misc]
            other = one.application.asked["other"] = Asked(asked.id, "other", "700", {})
            one.application.push("INTERACTION_CREATE", {**asked.raw, "token": "other", "type": kind})
            await one.until(lambda other=other: other.answer is not None)  # type: ignore[misc]
            assert other.answer is not None
            assert other.answer["type"] == answer
        assert len(one.delivered) == 3
