"""What becomes of a message to WhatsApp: only what Meta certainly did not take may go again."""

import asyncio

import pytest

from adapters.errors import RefusedConnection, Unreachable
from adapters.messages import ChatKind, ChatRef, FateUnknown, NotSent, OutboundMessage, Rejected, Sent
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.whatsapp_bench import APP_SECRET, HASTY, TOKEN, USER, bot

pytestmark = pytest.mark.faults
USER_ID = "DE.13491208655302741918"


def error(code: int, status: int = 400) -> Fault:
    return Fault(FaultKind.ANSWER, status, f'{{"error": {{"code": {code}, "message": "said {TOKEN}"}}}}')


async def test_sent_names_the_message() -> None:
    async with bot(running=False) as one:
        result = await one.send("häppy **🎉**")
        (message,) = one.number.sent
        assert result == Sent(message.message_id)
        assert (message.to, message.text, message.callback) == (USER, "häppy *🎉*", "t1.0")


async def test_no_connection_is_not_sent() -> None:
    async with bot(running=False, up=False) as one:
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.retry_after_s, result.whole_bot) == (None, False)


LOST = [
    (Fault(FaultKind.DROP_BEFORE), 0),
    (Fault(FaultKind.HANG), 0),
    (Fault(FaultKind.ANSWER, 502, "<html>"), 0),
    (Fault(FaultKind.ANSWER, 200, "{"), 0),
    (Fault(FaultKind.ANSWER, 200, "[]"), 0),
    (Fault(FaultKind.ANSWER, 200, '{"messages": []}'), 0),
    (Fault(FaultKind.ANSWER, 400, '{"error": "words"}'), 0),
    (Fault(FaultKind.ANSWER, 302, ""), 0),
    (error(131000, 500), 0),
    (error(1), 0),
    (Fault(FaultKind.DROP_AFTER), 1),
]


@pytest.mark.parametrize(
    ("fault", "arrived"),
    LOST,
    ids=lambda v: f"{v.kind}-{v.status}-{v.body[:12]}" if isinstance(v, Fault) else "",
)
async def test_what_may_have_arrived_is_tried_once_and_unknown_without_a_status(
    fault: Fault, arrived: int
) -> None:
    async with bot(patience=HASTY, running=False) as one:  # no webhook: no status comes
        one.number.fail("message", fault)
        result = await one.send()
        assert isinstance(result, FateUnknown)
        assert TOKEN not in result.why
        assert (len(one.number.sent), one.number.calls["message"]) == (arrived, 1)


async def test_its_status_tells_what_became_of_it() -> None:
    async with bot(subscribed=True) as one:
        one.number.fail("message", Fault(FaultKind.DROP_AFTER))
        result = await one.send(key="t7.0")
        (message,) = one.number.sent
        assert result == Sent(message.message_id)


async def test_a_status_may_come_before_the_answer() -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.number.fail("message", Fault(FaultKind.HANG))
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(one.send(key="t8.0"))
            await one.number.called("message")
            status = {"id": "wamid.x", "status": "delivered", "biz_opaque_callback_data": "t8.0"}
            one.number.push({"statuses": [status]})
            assert (await one.post(one.number.next_webhook()[1])).status == 200
        assert sending.result() == Sent("wamid.x")


async def test_a_status_of_another_message_tells_nothing() -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.number.fail("message", Fault(FaultKind.HANG))
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(one.send(key="t8.0"))
            await one.number.called("message")
            for key in ({"biz_opaque_callback_data": "t9.0"}, {}):
                one.number.push({"statuses": [{"id": "wamid.x", "status": "sent", **key}]})
            one.number.batch = 2
            assert (await one.post(one.number.next_webhook()[1])).status == 200
        assert isinstance(sending.result(), FateUnknown)


async def test_outside_of_the_24_hours_a_lost_answer_ends_as_rejected() -> None:
    async with bot(subscribed=True) as one:
        one.number.closed.add(USER)
        one.number.fail("message", Fault(FaultKind.DROP_AFTER))
        result = await one.send()
        assert isinstance(result, Rejected)
        assert "24 hours" in result.why
        assert "131047" in result.why


@pytest.mark.parametrize(
    ("code", "seconds", "whole_bot"),
    [
        (131056, 6, False),
        (130429, 5, True),
        (80007, 60, True),
        (131016, None, False),
        (2, None, False),
        (131031, 60, True),
    ],
)
async def test_what_meta_did_not_take_goes_later(
    code: int, seconds: float | None, *, whole_bot: bool
) -> None:
    async with bot(running=False) as one:
        one.number.fail("message", error(code))
        assert await one.send() == NotSent(f"said *** ({code})", seconds, whole_bot)


async def test_a_pace_for_one_user_and_not_for_another() -> None:
    async with bot(running=False) as one:
        one.number.limits = True
        assert isinstance(await one.send(), Sent)
        again = await one.send(key="t2.0")
        assert isinstance(again, NotSent)
        assert (again.retry_after_s, again.whole_bot) == (6, False)
        assert isinstance(await one.send(to="491709999999"), Sent)


async def test_a_pace_for_the_whole_number() -> None:
    async with bot(running=False) as one:
        one.number.limits = True
        sends = (one.send(to=str(491700000000 + n), key=f"t{n}.0") for n in range(100))
        results = await asyncio.gather(*sends)
        assert sum(isinstance(result, Sent) for result in results) == 80
        assert {r.whole_bot for r in results if isinstance(r, NotSent)} == {True}


async def test_a_refusal_is_final_and_says_why() -> None:
    async with bot(running=False) as one:
        one.number.refused[USER] = (400, 131026, "Message undeliverable")
        assert await one.send() == Rejected("Message undeliverable (131026)")
        assert isinstance(await one.send(" "), Rejected)


async def test_a_long_text_fits_or_is_refused() -> None:
    async with bot(running=False) as one:
        assert isinstance(await one.send("🎉" * 4096), Sent)
        assert isinstance(await one.send("**a** " * 682), Sent)
        assert all(len(message.text) <= 4096 for message in one.number.sent)


async def test_a_user_without_a_number_is_answered_by_id() -> None:
    async with bot(running=False) as one:
        assert isinstance(await one.send(to=USER_ID), Sent)
        assert [message.to for message in one.number.sent] == [USER_ID]
        assert one.number.lost == []


async def test_an_answer_in_a_group_quotes_its_question() -> None:
    async with bot(running=False) as one:
        chat = ChatRef("15", ChatKind.GROUP)
        await one.adapter.send(OutboundMessage("k", chat, "hi", "e", {"message_id": "wamid.3"}))
        assert [message.reply_to for message in one.number.sent] == ["wamid.3"]


async def test_working_is_typing_under_the_last_message() -> None:
    async with bot(running=False) as one:
        await one.adapter.show_working(ChatRef(USER))
        assert one.number.reads == []
        await one.post(one.webhook("one", "two"))
        await one.adapter.show_working(ChatRef(USER))
        last = one.delivered[-1].event_id
        assert one.number.reads == [(last, True)]
        one.number.fail("read", Fault(FaultKind.DROP_BEFORE))
        await one.adapter.show_working(ChatRef(USER))
        await one.server.stop()
        await one.adapter.show_working(ChatRef(USER))
        assert one.number.reads == [(last, True)]


async def test_who_am_i_tells_what_is_wrong() -> None:
    async with bot(running=False) as one:
        assert await one.adapter.who_am_i() == "Fake Business (+15550001111), no webhook address is set"
        one.number.callback_url = "https://bots.example.com/hook"
        assert (await one.adapter.who_am_i()).endswith("webhook https://bots.example.com/hook")
        one.adapter._shared = one.adapter._shared.for_bot("shop")
        one.adapter._shared.public_url = "https://bots.example.com/"
        ours = "https://bots.example.com/api/bots/webhook/whatsapp/shop"
        assert (await one.adapter.who_am_i()).endswith(
            f"webhook https://bots.example.com/hook, but this bot is at {ours}"
        )
        one.number.callback_url = ours
        assert (await one.adapter.who_am_i()).endswith(f", webhook {ours}")
        one.number.app_secret = "another"
        with pytest.raises(RefusedConnection, match="not with this app_secret"):
            await one.adapter.who_am_i()
        one.number.revoked = True
        with pytest.raises(RefusedConnection, match="190"):
            await one.adapter.who_am_i()
        one.number.fail("number", error(4))
        with pytest.raises(Unreachable) as caught:
            await one.adapter.who_am_i()
        assert caught.value.retry_after_s == 60


async def test_nothing_of_an_error_shows_a_secret() -> None:
    async with bot(patience=HASTY, running=False) as one:
        for fault in (Fault(FaultKind.HANG), error(4), Fault(FaultKind.ANSWER, 200, TOKEN)):
            one.number.fail("number", fault)
            with pytest.raises(Unreachable) as caught:
                await one.adapter.who_am_i()
            failure: BaseException | None = caught.value
            while failure is not None:
                assert TOKEN not in f"{failure!r}"
                assert APP_SECRET not in f"{failure!r}"
                failure = failure.__cause__ or (None if failure.__suppress_context__ else failure.__context__)
