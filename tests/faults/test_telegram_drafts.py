"""An answer that is shown while it grows, and what the whole does to it."""

import asyncio

import pytest

from adapters.messages import ChatKind, ChatRef, FateUnknown, NotSent, OutboundMessage, Rejected, Sent
from adapters.telegram.drafts import MOST_SHOWN
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.telegram_bench import HASTY, Bot, bot

pytestmark = pytest.mark.faults
DIRECT, GROUP = ChatRef("7"), ChatRef("-10", ChatKind.GROUP, "5")
TOO_MANY = Fault(FaultKind.ANSWER, 429, '{"ok": false, "parameters": {"retry_after": 9}}')


def piece(text: str, chat: ChatRef = GROUP, key: str = "t1.1") -> OutboundMessage:
    return OutboundMessage(key, chat, text, "e", {"message_id": 3})


async def shown(one: Bot, *texts: str, chat: ChatRef = GROUP) -> None:
    for text in texts:
        await one.adapter.draft(piece(text, chat))


def stands(one: Bot) -> list[str]:
    return [message.text for message in one.account.shown.values()]


async def test_in_a_direct_chat_drafts_grow_and_the_whole_is_sent() -> None:
    async with bot(running=False) as one:
        topic = ChatRef("7", ChatKind.DIRECT, "44")
        await shown(one, "The answer", "The answer is", chat=topic)
        assert await one.adapter.send(piece("The answer is 42.", topic)) == Sent("1")
        first, second = one.account.drafts
        assert [first.text, second.text] == ["The answer", "The answer is"]
        assert first.message_id == second.message_id != 0
        assert (first.chat_id, first.thread) == ("7", "44")
        assert [message.text for message in one.account.sent] == ["The answer is 42."]
        assert not one.account.edits


async def test_answers_have_drafts_of_their_own() -> None:
    async with bot(running=False) as one:
        for key in ("t1.1", "t2.1"):
            await one.adapter.draft(piece("growing", DIRECT, key))
        assert len({draft.message_id for draft in one.account.drafts}) == 2


async def test_in_a_group_a_message_grows_into_the_whole() -> None:
    async with bot(running=False) as one:
        await shown(one, "The answer", "The answer is")
        assert await one.adapter.send(piece("The answer is 42.")) == Sent("1")
        assert await one.adapter.send(piece("And more.", key="t1.2")) == Sent("2")
        first, second = one.account.sent
        assert (first.text, first.thread, first.reply_to) == ("The answer", "5", 3)
        assert (second.text, second.thread, second.reply_to) == ("And more.", "5", None)
        assert [edit.text for edit in one.account.edits] == ["The answer is", "The answer is 42."]
        assert stands(one) == ["The answer is 42.", "And more."]
        assert not one.adapter._drafts._shown


async def test_what_would_change_nothing_is_not_sent() -> None:
    async with bot(running=False) as one:
        await shown(one, "The whole", "The whole")
        assert await one.adapter.send(piece("The whole")) == Sent("1")
        assert one.account.calls == {"sendMessage": 1}


async def test_after_a_restart_the_whole_is_simply_sent() -> None:
    async with bot(running=False) as one:
        await shown(one, "The ans")
        one.adapter._drafts._shown.clear()
        assert await one.adapter.send(piece("The answer")) == Sent("2")


async def test_a_server_that_knows_no_drafts_gets_edits() -> None:
    async with bot(running=False) as one:
        one.account.drafting = False
        await shown(one, "one", "one two", chat=DIRECT)
        assert await one.adapter.send(piece("one two three", DIRECT)) == Sent("1")
        assert stands(one) == ["one two three"]
        assert one.account.calls == {"sendMessageDraft": 1, "sendMessage": 1, "editMessageText": 2}


async def test_a_chat_that_takes_no_drafts_gets_edits() -> None:
    async with bot(running=False) as one:
        refusal = '{"ok": false, "description": "Bad Request: TEXTDRAFT_PEER_INVALID"}'
        one.account.fail("sendMessageDraft", Fault(FaultKind.ANSWER, 400, refusal))
        await shown(one, "one", "one two", chat=DIRECT)
        await shown(one, "for somebody else", chat=ChatRef("8"))
        assert stands(one) == ["one two"]
        assert [draft.chat_id for draft in one.account.drafts] == ["8"]


@pytest.mark.parametrize("chat", [DIRECT, GROUP])
async def test_a_chat_that_must_slow_down_sees_nothing_until_then(chat: ChatRef) -> None:
    async with bot(running=False) as one:
        method = "sendMessageDraft" if chat is DIRECT else "sendMessage"
        one.account.fail(method, TOO_MANY)
        await shown(one, "one", "one two", chat=chat)
        assert one.account.calls == {method: 1}
        await shown(one, "elsewhere", chat=ChatRef("8"))
        await one.timer.sleep(9)
        await shown(one, "one two three", chat=chat)
        assert await one.adapter.send(piece("whole", chat)) == Sent("1")
        assert stands(one) == ["whole"]


@pytest.mark.parametrize("chat", [DIRECT, GROUP])
async def test_showing_never_fails_and_never_stops_the_whole(chat: ChatRef) -> None:
    faults = [
        Fault(FaultKind.DROP_BEFORE),
        Fault(FaultKind.HANG),
        Fault(FaultKind.ANSWER, 502, "<html>"),
        Fault(
            FaultKind.ANSWER, 403, '{"ok": false, "description": "Forbidden: bot was blocked by the user"}'
        ),
    ]
    for fault in faults:
        async with bot(patience=HASTY, running=False) as one:
            one.account.fail("sendMessageDraft", fault)
            one.account.fail("sendMessage", fault)
            await shown(one, "one", "one two", chat=chat)
            one.account.recover()
            assert isinstance(await one.adapter.send(piece("whole", chat)), Sent)
            assert stands(one)[-1] == "whole"


async def test_a_whole_that_must_wait_is_an_edit_still() -> None:
    async with bot(running=False) as one:
        await shown(one, "one")
        one.account.fail("editMessageText", TOO_MANY)
        result = await one.adapter.send(piece("one two"))
        assert isinstance(result, NotSent)
        assert result.retry_after_s == 9
        assert await one.adapter.send(piece("one two")) == Sent("1")
        assert stands(one) == ["one two"]


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_an_edit_of_unknown_fate_is_done_again_for_twice_is_once(kind: FaultKind) -> None:
    async with bot(running=False) as one:
        await shown(one, "one")
        one.account.fail("editMessageText", Fault(kind))
        assert isinstance(await one.adapter.send(piece("one two")), NotSent)
        assert await one.adapter.send(piece("one two")) == Sent("1")
        assert stands(one) == ["one two"]


async def test_a_message_that_somebody_deleted_is_sent_anew() -> None:
    async with bot(running=False) as one:
        await shown(one, "one")
        one.account.shown.clear()
        assert await one.adapter.send(piece("one two")) == Sent("2")
        assert stands(one) == ["one two"]


async def test_a_first_message_of_unknown_fate_is_not_edited_and_not_begun_again() -> None:
    async with bot(running=False) as one:
        one.account.fail("sendMessage", Fault(FaultKind.DROP_AFTER))
        await shown(one, "one", "one two")
        assert await one.adapter.send(piece("one two three")) == Sent("2")
        assert [message.text for message in one.account.sent] == ["one", "one two three"]


async def test_a_draft_that_is_cut_off_leaves_nothing_to_edit() -> None:
    async with bot(running=False) as one:
        one.account.fail("sendMessage", Fault(FaultKind.HANG))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.adapter.draft(piece("one")))
            await one.account.called("sendMessage")
            task.cancel()
        assert await one.adapter.send(piece("one two")) == Sent("1")


async def test_the_wholes_own_faults_stay_what_they_are() -> None:
    async with bot(running=False) as one:
        await shown(one, "one", chat=DIRECT)
        one.account.fail("sendMessage", Fault(FaultKind.DROP_AFTER))
        assert isinstance(await one.adapter.send(piece("whole", DIRECT)), FateUnknown)
        one.account.refused["-10"] = (403, "Forbidden: bot was kicked from the group chat")
        await shown(one, "one")
        assert await one.adapter.send(piece("whole")) == Rejected(
            "Forbidden: bot was kicked from the group chat"
        )


async def test_what_is_remembered_is_bounded() -> None:
    async with bot(running=False) as one:
        for number in range(MOST_SHOWN + 5):
            await one.adapter.draft(piece("begun", key=f"t{number}.1"))
        assert len(one.adapter._drafts._shown) == MOST_SHOWN
        assert await one.adapter.send(piece("whole", key="t0.1")) == Sent(str(MOST_SHOWN + 6))
