"""What becomes of a message to Slack: none twice, none lost, and what is shown meanwhile."""

import asyncio

import pytest

from adapters.contract import ConnectionState
from adapters.errors import RefusedConnection, Unreachable
from adapters.messages import ChatKind, ChatRef, FateUnknown, NotSent, OutboundMessage, Rejected, Sent
from adapters.slack.wire import METADATA_EVENT
from adapters.testing.slack_state import Fault, FaultKind
from tests.faults.slack_bench import HASTY, NOW, TOKEN, bot

pytestmark = pytest.mark.faults
EARLIER = f"{NOW - 7200:.6f}"


def no(code: str) -> Fault:
    return Fault(FaultKind.ERROR, body=code)


async def test_sent_names_the_message_and_carries_its_key() -> None:
    async with bot(running=False) as one:
        result = await one.send("**häppy** 🎉", key="b1:7")
        (sent,) = one.account.sent
        assert result == Sent(sent.ts)
        assert sent.text == "**häppy** 🎉"
        assert sent.metadata == {"event_type": METADATA_EVENT, "event_payload": {"key": "b1:7"}}
        assert one.account.calls == {"chat.postMessage": 1}


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
        (Fault(FaultKind.ANSWER, 502, '{"ok": false, "error": "bad_gateway"}'), 0),
        (Fault(FaultKind.ANSWER, 200, "{"), 0),
        (Fault(FaultKind.ANSWER, 200, '{"ok": true}'), 0),
        (Fault(FaultKind.ANSWER, 404, f"<p>{TOKEN}</p>"), 0),
        (no("internal_error"), 0),
        (no("fatal_error"), 0),
    ],
    ids=lambda value: (
        f"{value.kind}-{value.status}-{value.body[:14]}" if isinstance(value, Fault) else str(value)
    ),
)
async def test_what_may_have_arrived_is_looked_for_before_it_goes_again(fault: Fault, arrived: int) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.fail("chat.postMessage", fault)
        result = await one.send(chat="C1", thread=f"{NOW - 5:.6f}")
        assert isinstance(result, FateUnknown)
        assert TOKEN not in result.why
        assert len(one.account.sent) == arrived
        assert one.account.calls["chat.postMessage"] == 1  # the library tried it once
        again = await one.send(chat="C1", thread=f"{NOW - 5:.6f}")
        assert isinstance(again, Sent)
        assert [again.platform_id] == [message.ts for message in one.account.sent]
        assert one.account.calls["conversations.replies"] == 1


async def test_what_an_earlier_life_may_have_sent_is_looked_for() -> None:
    async with bot(running=False) as one:
        first = await one.send("an answer", key="one", ts=EARLIER)
        assert one.account.calls["conversations.history"] == 1
        again = await one.send("an answer", key="one", ts=EARLIER)
        assert again == first
        other = await one.send("an answer", key="two", ts=EARLIER)
        assert other != first
        assert len(one.account.sent) == 2


async def test_it_is_found_on_a_later_page_too() -> None:
    async with bot(running=False) as one:
        first = await one.send("far down", ts=EARLIER)
        for number in range(450):
            one.account.say(f"{number}", user="U7")
        assert await one.send("far down", ts=EARLIER) == first
        assert one.account.calls["conversations.history"] == 1 + 3


async def test_a_send_that_was_cancelled_is_looked_for() -> None:
    async with bot(running=False) as one:
        one.account.fail("chat.postMessage", Fault(FaultKind.HANG))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.send())
            await one.account.called("chat.postMessage")
            task.cancel()
        assert isinstance(await one.send(), Sent)
        assert one.account.calls["conversations.history"] == 1


async def test_a_history_that_cannot_be_asked_now_is_asked_later() -> None:
    async with bot(running=False) as one:
        one.account.fail("conversations.history", Fault(FaultKind.DROP_AFTER))
        assert isinstance(await one.send(ts=EARLIER), NotSent)
        one.account.fail("conversations.history", Fault(FaultKind.ANSWER, 429, "{}", {"Retry-After": "30"}))
        assert await one.send(ts=EARLIER) == NotSent("Slack asks for a pause", 30.0)
        assert isinstance(await one.send(ts=EARLIER), Sent)
        assert one.account.calls["chat.postMessage"] == 1


async def test_where_nobody_can_tell_it_is_not_sent_again() -> None:
    async with bot(running=False) as one:
        one.account.missing_scopes["conversations.history"] = "im:history"
        result = await one.send(ts=EARLIER)
        assert isinstance(result, Rejected)
        assert "the scope im:history is missing" in result.why
        assert one.account.sent == []


@pytest.mark.parametrize("code", ["channel_not_found", "is_archived", "msg_too_long", "restricted_action"])
async def test_a_refusal_is_final_and_says_why(code: str) -> None:
    async with bot(running=False) as one:
        one.account.refused["D7"] = code
        assert await one.send() == Rejected(code)


async def test_a_missing_scope_is_named() -> None:
    async with bot(running=False) as one:
        one.account.missing_scopes["chat.postMessage"] = "chat:write"
        assert await one.send() == Rejected("missing_scope, the scope chat:write is missing")


async def test_a_pace_for_one_channel_and_for_the_whole_bot() -> None:
    async with bot(running=False) as one:
        one.account.limits = True
        assert isinstance(await one.send(chat="D1"), Sent)
        assert await one.send(chat="D1") == NotSent("Slack asks for a pause", 1.0, whole_bot=False)
        one.account.fail("chat.postMessage", Fault(FaultKind.ANSWER, 429, "{}", {"Retry-After": "5"}))
        assert await one.send(chat="D2") == NotSent("Slack asks for a pause", 5.0, whole_bot=True)
        await one.timer.sleep(6)
        one.account.fail("chat.postMessage", Fault(FaultKind.ANSWER, 429, "{}", {"Retry-After": "soon"}))
        assert await one.send(chat="D3") == NotSent("Slack asks for a pause", 1.0, whole_bot=False)


async def test_a_dead_token_keeps_the_message_for_the_next_one() -> None:
    async with bot(running=False) as one:
        one.account.revoked = True
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.retry_after_s, result.whole_bot) == (60.0, True)
        with pytest.raises(RefusedConnection, match="bot_token"):
            await one.adapter.who_am_i()


@pytest.mark.parametrize("code", ["cannot_reply_to_message", "invalid_thread_ts", "thread_not_found"])
async def test_a_thread_that_cannot_be_replied_to_is_answered_beside_it(code: str) -> None:
    async with bot(running=False) as one:
        one.account.fail("chat.postMessage", no(code))
        assert isinstance(await one.send(chat="C1", thread=f"{NOW:.6f}"), Sent)
        assert [message.thread for message in one.account.sent] == [None]


async def test_where_the_block_is_not_understood_the_text_goes_plain() -> None:
    async with bot(running=False) as one:
        one.account.fail("chat.postMessage", no("invalid_blocks"))
        assert isinstance(await one.send("x" * 3000 + " <!channel>"), Sent)
        (sent,) = one.account.sent
        assert (sent.blocks, len(sent.text), sent.text[-10:]) == ((), 3011, "\u2039!channel>")


async def test_a_command_where_we_are_no_member_is_answered_to_the_user() -> None:
    async with bot(running=False) as one:
        one.account.refused["C1"] = "not_in_channel"
        assert isinstance(await one.send("done", chat="C1", user="U7"), Sent)
        assert [message.channel for message in one.account.sent] == ["U7"]
        assert await one.send("no command", chat="C1") == Rejected("not_in_channel")


async def test_twelve_thousand_characters_fit_and_mentions_do_not_make_them_more() -> None:
    async with bot(running=False) as one:
        text = "<!channel>" * 1200
        assert isinstance(await one.send(text), Sent)
        assert len(one.account.sent[0].text) == len(text) == 12_000


async def test_who_am_i_tells_what_is_missing() -> None:
    async with bot(running=False) as one:
        said = await one.adapter.who_am_i()
        assert said == "@helper (U0BOT) in Fake (T0FAKE), Socket Mode"
        one.account.scopes = "chat:write,im:history,app_mentions:read,channels:history"
        assert "without the scope reactions:write" in await one.adapter.who_am_i()
        one.account.scopes = "im:history"
        with pytest.raises(RefusedConnection, match="chat:write"):
            await one.adapter.who_am_i()


async def test_by_the_events_api_it_tells_its_address() -> None:
    async with bot(running=False, events=True) as one:
        assert (await one.adapter.who_am_i()).endswith(", Events API")
        one.shared.public_url = "https://bots.example.com/"
        one.shared.bot_id = "shop"
        told = await one.adapter.who_am_i()
        assert told.endswith("Events API at https://bots.example.com/api/bots/webhook/slack/shop")


async def test_who_am_i_asks_for_a_socket_too() -> None:
    async with bot(running=False) as one:
        one.account.socket_mode = False
        with pytest.raises(RefusedConnection, match="with the app_token"):
            await one.adapter.who_am_i()


async def test_who_am_i_without_network_is_unreachable_and_hides_the_token() -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.fail("auth.test", Fault(FaultKind.HANG))
        with pytest.raises(Unreachable) as caught:
            await one.adapter.who_am_i()
        error: BaseException | None = caught.value
        while error is not None:
            assert TOKEN not in f"{error!r}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


# ── what is shown while it works ─────────────────────────────────────────────────────────────────────────
def answer_to(chat: ChatRef, ts: str) -> OutboundMessage:
    return OutboundMessage(f"answer to {ts}", chat, "an answer", "e", {"ts": ts})


async def test_in_a_direct_chat_the_question_gets_a_reaction_until_it_is_answered() -> None:
    async with bot() as one:
        ts = one.account.say("a hard one")
        await one.hears("a hard one")
        await one.drained()
        chat = one.delivered[0].chat
        await one.adapter.show_working(chat)
        await one.adapter.show_working(chat)
        assert one.account.reactions == {("D7", ts, "eyes")}
        await one.adapter.send(answer_to(chat, ts))
        assert one.account.working == [("reactions.add", "D7", ts), ("reactions.remove", "D7", ts)]
        assert one.account.reactions == set()


async def test_in_a_thread_slack_shows_a_status() -> None:
    async with bot() as one:
        ts = one.account.say("<@U0BOT> a hard one", channel="C1")
        await one.hears("a hard one")
        await one.drained()
        await one.adapter.show_working(one.delivered[0].chat)
        assert one.account.working == [("status", "C1", ts)]


async def test_where_slack_shows_no_status_the_reaction_is_put_and_it_is_not_asked_again() -> None:
    async with bot() as one:
        one.account.missing_scopes["assistant.threads.setStatus"] = "assistant:write"
        for number in (1, 2):
            one.account.say(f"<@U0BOT> question {number}", channel="C1")
            await one.hears(f"question {number}")
            await one.drained()
            await one.adapter.show_working(one.delivered[-1].chat)
        assert one.account.calls["assistant.threads.setStatus"] == 1
        assert len(one.account.reactions) == 2


async def test_without_the_scope_for_reactions_nothing_is_shown_and_not_tried_again() -> None:
    async with bot() as one:
        one.account.missing_scopes["reactions.add"] = "reactions:write"
        one.account.say("a hard one")
        await one.hears("a hard one")
        await one.drained()
        for _ in range(3):
            await one.adapter.show_working(one.delivered[0].chat)
        assert one.account.calls["reactions.add"] == 1


async def test_showing_never_raises() -> None:
    async with bot() as one:
        await one.reaches(ConnectionState.UP)
        one.account.say("a hard one")
        await one.hears("a hard one")
        await one.drained()
        thread = ChatRef("C1", ChatKind.GROUP, f"{NOW:.6f}")
        for method, chat in (
            ("reactions.add", one.delivered[0].chat),
            ("assistant.threads.setStatus", thread),
        ):
            one.account.fail(method, Fault(FaultKind.ANSWER, 500, "<html>"))
            await one.adapter.show_working(chat)
            await one.adapter.show_working(chat)
            assert one.account.calls[method] == 2


# ── whose thread it is ───────────────────────────────────────────────────────────────────────────────────
async def test_a_reply_in_a_thread_that_we_answered_in_is_for_us() -> None:
    async with bot() as one:
        root = one.account.say("<@U0BOT> first", channel="C1")
        await one.hears("first")
        await one.adapter.send(answer_to(one.delivered[0].chat, root))
        one.account.say("and then?", channel="C1", thread=root)
        await one.hears("first", "and then?")
        assert [message.addressed for message in one.delivered] == [True, True]
        assert one.delivered[0].chat == one.delivered[1].chat
        assert one.account.calls["conversations.replies"] == 0


async def test_what_an_earlier_life_said_in_a_thread_is_asked_once() -> None:
    async with bot() as one:
        root = one.account.say("a question to all", channel="C1")
        one.account.answer("chat.postMessage", {"channel": "C1", "thread_ts": root, "text": "I know"})
        other = one.account.say("not ours", channel="C1")
        ours = one.account.say("<@U0BOT> are you there?", channel="C1")
        for text, thread in (("a", root), ("b", root), ("c", other), ("d", other), ("e", ours)):
            one.account.say(text, channel="C1", thread=thread)
        await one.drained()
        heard = {message.text: message.addressed for message in one.delivered}
        assert [heard[text] for text in "abcde"] == [True, True, False, False, True]
        assert one.account.calls["conversations.replies"] == 3


async def test_a_thread_that_cannot_be_asked_now_is_asked_again() -> None:
    async with bot() as one:
        root = one.account.say("<@U0BOT> hello", channel="C1")
        await one.drained()
        one.account.fail("conversations.replies", Fault(FaultKind.ANSWER, 503, "<html>"), times=2)
        one.account.say("ours?", channel="C1", thread=root)
        await one.hears("hello", "ours?")
        assert one.delivered[-1].addressed
        assert one.account.calls["conversations.replies"] == 3


async def test_a_thread_is_not_asked_for_faster_than_slack_allows() -> None:
    async with bot() as one:
        root = one.account.say("<@U0BOT> hello", channel="C1")
        await one.drained()
        one.account.fail("conversations.replies", Fault(FaultKind.ANSWER, 429, "{}", {"Retry-After": "30"}))
        one.account.say("ours?", channel="C1", thread=root)
        await one.hears("hello", "ours?")
        assert 30 in one.timer.slept


async def test_a_dead_token_met_while_asking_for_a_thread_ends_the_connection() -> None:
    async with bot() as one:
        root = one.account.say("<@U0BOT> hello", channel="C1")
        await one.drained()
        one.account.revoked = True
        one.account.say("ours?", channel="C1", thread=root)
        await one.until(lambda: one.refused is not None)


async def test_a_thread_that_may_not_be_read_is_not_ours() -> None:
    async with bot() as one:
        root = one.account.say("<@U0BOT> hello", channel="C1")
        one.account.missing_scopes["conversations.replies"] = "channels:history"
        one.account.say("ours?", channel="C1", thread=root)
        await one.hears("hello", "ours?")
        assert not one.delivered[-1].addressed
