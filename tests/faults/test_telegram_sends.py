"""What becomes of a message to Telegram: only what certainly did not arrive may go again."""

import asyncio

import pytest

from adapters.errors import RefusedConnection, Unreachable
from adapters.messages import ChatKind, ChatRef, FateUnknown, NotSent, OutboundMessage, Rejected, Sent
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.telegram_bench import HASTY, TOKEN, bot

pytestmark = pytest.mark.faults


async def test_sent_names_the_message() -> None:
    async with bot(running=False) as one:
        assert await one.send("häppy 🎉") == Sent("1")
        assert [message.text for message in one.account.sent] == ["häppy 🎉"]


async def test_no_connection_is_not_sent() -> None:
    async with bot(running=False, up=False) as one:
        result = await one.send()
        assert isinstance(result, NotSent)
        assert result.retry_after_s is None
        assert not result.whole_bot


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (Fault(FaultKind.DROP_BEFORE), 0),
        (Fault(FaultKind.DROP_AFTER), 1),
        (Fault(FaultKind.HANG), 0),
        (Fault(FaultKind.ANSWER, 500, "<html>"), 0),
        (Fault(FaultKind.ANSWER, 502, '{"ok": false, "description": "Bad Gateway"}'), 0),
        (Fault(FaultKind.ANSWER, 200, "{"), 0),
        (Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": true}'), 0),
        (Fault(FaultKind.ANSWER, 404, f"<p>/bot{TOKEN}/sendMessage</p>"), 0),
    ],
    ids=lambda value: (
        f"{value.kind}-{value.status}-{value.body[:12]}" if isinstance(value, Fault) else str(value)
    ),
)
async def test_what_may_have_arrived_has_an_unknown_fate_and_is_tried_once(
    fault: Fault, arrived: int
) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.fail("sendMessage", fault)
        result = await one.send()
        assert isinstance(result, FateUnknown)
        assert TOKEN not in result.why
        assert len(one.account.sent) == arrived
        assert one.account.calls["sendMessage"] == 1


@pytest.mark.parametrize(
    ("status", "description", "why"),
    [
        (400, "Bad Request: chat not found", "Chat not found"),
        (403, "Forbidden: bot was blocked by the user", "Forbidden: bot was blocked by the user"),
    ],
)
async def test_a_refusal_is_final_and_says_why(status: int, description: str, why: str) -> None:
    async with bot(running=False) as one:
        one.account.refused["7"] = (status, description)
        assert await one.send() == Rejected(why)


async def test_too_long_and_empty_are_refused_by_units() -> None:
    async with bot(running=False) as one:
        assert await one.send("🎉" * 2048) == Sent("1")
        assert await one.send("🎉" * 2048 + "x") == Rejected("Message is too long")
        assert await one.send(" ") == Rejected("Message text is empty")


async def test_a_pace_for_one_chat_and_for_the_whole_bot() -> None:
    async with bot(running=False) as one:
        one.account.limits = True
        assert await one.send(chat="1") == Sent("1")
        first = await one.send(chat="1")
        assert isinstance(first, NotSent)
        assert (first.retry_after_s, first.whole_bot) == (1, False)
        limited = Fault(FaultKind.ANSWER, 429, '{"ok": false, "parameters": {"retry_after": 5}}')
        one.account.fail("sendMessage", limited)
        other = await one.send(chat="2")
        assert isinstance(other, NotSent)
        assert (other.retry_after_s, other.whole_bot) == (5, True)
        await one.timer.sleep(6)
        one.account.fail("sendMessage", limited)
        later = await one.send(chat="3")
        assert isinstance(later, NotSent)
        assert not later.whole_bot


async def test_a_dead_token_keeps_the_message_for_the_next_one() -> None:
    async with bot(running=False) as one:
        one.account.revoked = True
        result = await one.send()
        assert isinstance(result, NotSent)
        assert result.whole_bot
        assert result.retry_after_s == 60
        with pytest.raises(RefusedConnection):
            await one.adapter.who_am_i()


async def test_a_topic_that_is_gone_is_answered_outside_of_it() -> None:
    async with bot(running=False) as one:
        assert await one.send(thread="5") == Sent("1")
        one.account.missing_threads.add("5")
        assert await one.send(thread="5") == Sent("2")
        assert [message.thread for message in one.account.sent] == ["5", None]


async def test_a_group_that_became_another_is_followed() -> None:
    async with bot(running=False) as one:
        one.account.migrated["-10"] = -1009
        chat = ChatRef("-10", ChatKind.GROUP)
        result = await one.adapter.send(OutboundMessage("k", chat, "hi", "e", {"message_id": 3}))
        assert result == Sent("1")
        assert one.account.sent[0].chat_id == "-1009"


async def test_an_answer_in_a_group_quotes_its_question() -> None:
    async with bot(running=False) as one:
        chat = ChatRef("-10", ChatKind.GROUP)
        await one.adapter.send(OutboundMessage("k", chat, "hi", "e", {"message_id": 3}))
        assert one.account.sent[0].reply_to == 3


async def test_who_am_i_without_network_is_unreachable() -> None:
    async with bot(running=False, up=False) as one:
        with pytest.raises(Unreachable) as caught:
            await one.adapter.who_am_i()
        assert "token" not in str(caught.value)


async def test_nothing_of_an_error_shows_the_token() -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.fail("getMe", Fault(FaultKind.HANG))
        with pytest.raises(Unreachable) as caught:
            await one.adapter.who_am_i()
        error: BaseException | None = caught.value
        while error is not None:
            assert TOKEN not in f"{error!r}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def test_sends_of_many_chats_go_side_by_side() -> None:
    async with bot(running=False) as one:
        results = await asyncio.gather(*(one.send(f"to {chat}", str(chat)) for chat in range(1, 60)))
        assert all(isinstance(result, Sent) for result in results)
        assert sorted(message.text for message in one.account.sent) == sorted(
            f"to {chat}" for chat in range(1, 60)
        )


async def test_markdown_goes_out_as_entities_and_as_plain_text_where_telegram_will_not_have_them() -> None:
    async with bot(running=False) as one:
        assert await one.send("**so** it is") == Sent("1")
        refusal = '{"ok": false, "description": "Bad Request: can\'t parse entities: no such thing"}'
        one.account.fail("sendMessage", Fault(FaultKind.ANSWER, 400, refusal))
        assert await one.send("**so** it is") == Sent("2")
        first, second = one.account.sent
        assert (first.text, second.text) == ("so it is", "so it is")
        assert [dict(entity) for entity in first.entities] == [{"type": "bold", "offset": 0, "length": 2}]
        assert not second.entities
