"""Answers that grow on Slack: each ends as the whole text, once, whatever happens to its drafts."""

import pytest

from adapters.messages import NotSent, Sent
from adapters.slack import drafts
from adapters.slack.adapter import SlackAdapter
from adapters.slack.wire import harmless
from adapters.testing.slack_state import Fault, FaultKind
from tests.faults.slack_bench import HASTY, NOW, Bot, answer, bot

pytestmark = pytest.mark.faults
THREAD = f"{NOW - 1:.6f}"
WHOLE = "The quick brown fox\n\njumps over <!channel> the lazy dog."
STREAM = ("chat.startStream", "chat.appendStream", "chat.stopStream")


def no(code: str) -> Fault:
    return Fault(FaultKind.ERROR, body=code)


def slow(seconds: int) -> Fault:
    body = '{"ok": false, "error": "ratelimited"}'
    return Fault(FaultKind.ANSWER, 429, body, {"Retry-After": str(seconds)})


async def whole_arrives(one: Bot, text: str = WHOLE, chat: str = "D7", thread: str | None = None) -> int:
    """Send until it is sent, as the outbox does; how many messages stand there besides the whole."""
    result = await one.send(text, chat, thread)
    for _ in range(6):
        if not isinstance(result, Sent):
            result = await one.send(text, chat, thread)
    assert isinstance(result, Sent)
    (whole,) = [message for message in one.account.sent if message.metadata]
    assert (whole.ts, whole.text, whole.streaming) == (result.platform_id, harmless(text), False)
    others = [message for message in one.account.sent if not message.metadata]
    assert all(message.text != whole.text for message in others), "the whole stands there once"
    return len(others)


async def test_in_a_thread_only_what_is_new_is_streamed() -> None:
    async with bot(running=False) as one:
        for end in (9, 20, 30, 45):
            await one.draft(WHOLE[:end], "C1", THREAD)
            (shown,) = one.account.sent
            assert shown.streaming
            assert harmless(WHOLE).startswith(shown.text)
        assert len(shown.text) > 35
        assert await whole_arrives(one, chat="C1", thread=THREAD) == 0
        assert one.account.calls == {"chat.startStream": 1, "chat.appendStream": 3, "chat.stopStream": 1}
        assert [message.thread for message in one.account.sent] == [THREAD]


async def test_in_a_thread_of_a_direct_chat_too() -> None:
    async with bot(running=False) as one:
        await one.draft(WHOLE[:9], "D7", THREAD)
        assert await whole_arrives(one, thread=THREAD) == 0
        assert one.account.calls == {"chat.startStream": 1, "chat.stopStream": 1}


async def test_in_a_direct_chat_a_message_is_edited() -> None:
    async with bot(running=False) as one:
        for end in (9, 20, 20, 30):
            await one.draft(WHOLE[:end])
            (shown,) = one.account.sent
            assert (shown.text, shown.metadata) == (harmless(WHOLE[:end]), None)
        assert await whole_arrives(one) == 0
        assert one.account.calls == {"chat.postMessage": 1, "chat.update": 3}


@pytest.mark.parametrize(
    ("code", "asked"), [("unknown_method", 1), ("missing_scope", 1), ("channel_type_not_supported", 2)]
)
async def test_where_streaming_is_refused_a_message_is_edited(code: str, asked: int) -> None:
    async with bot(running=False) as one:
        one.account.fail("chat.startStream", no(code), times=9)
        for channel in ("C1", "C2", "C1"):
            key = f"{channel}{len(one.account.said)}"
            await one.draft(WHOLE[:9], channel, THREAD, key)
            await one.draft(WHOLE[:20], channel, THREAD, key)
            assert isinstance(await one.send(WHOLE, channel, THREAD, key), Sent)
        assert one.account.calls["chat.startStream"] == asked, "a refusal is remembered"
        assert [(message.text, message.thread) for message in one.account.sent] == [
            (harmless(WHOLE), THREAD)
        ] * 3


async def test_whom_a_stream_would_be_for_may_not_be_known() -> None:
    async with bot(running=False) as one:
        await one.timer.sleep(5)
        await one.adapter.draft(answer(WHOLE[:20], "C1", THREAD, asker=None))
        assert one.account.calls == {"chat.postMessage": 1}


async def test_where_nothing_may_be_posted_nothing_is_shown() -> None:
    async with bot(running=False) as one:
        one.account.refused["C1"] = "not_in_channel"
        for end in (9, 20, 30):
            await one.draft(WHOLE[:end], "C1")
        assert one.account.calls == {"chat.postMessage": 1}


async def test_drafts_keep_to_the_pace() -> None:
    async with bot(running=False) as one:
        for end in range(9, 50):
            await one.draft(WHOLE[:end], "C1", THREAD, after_s=0.1)
        assert one.account.calls["chat.appendStream"] <= 4, "once a second"
        for end in range(9, 50):
            await one.draft(WHOLE[:end], "D7", after_s=0.1)
        assert one.account.calls["chat.update"] <= 2, "once in two seconds"
        calls = one.account.calls.total()
        for key in "abcd":
            await one.draft(WHOLE[:20], "D8", key=key, after_s=0.1)
        assert one.account.calls.total() == calls + 1, "a channel once a second"


@pytest.mark.parametrize("thread", [None, THREAD])
async def test_asked_for_a_pause_drafts_rest_and_the_whole_does_not(thread: str | None) -> None:
    async with bot(running=False) as one:
        await one.draft(WHOLE[:9], "C1", thread)
        method = "chat.appendStream" if thread else "chat.update"
        one.account.fail(method, slow(30))
        await one.draft(WHOLE[:20], "C1", thread)
        for end in range(21, 25):
            await one.draft(WHOLE[:end], "C1", thread, after_s=2.0)
            await one.draft(WHOLE[:end], "C2", thread, key="other", after_s=2.0)
        assert one.account.calls[method] == 1
        assert len(one.account.sent) == 1
        assert isinstance(await one.send(WHOLE, "C1", thread), Sent)
        await one.draft(WHOLE[:26], "C2", thread, key="other", after_s=30)
        assert [message.text == harmless(WHOLE) for message in one.account.sent] == [True, False], "over"


async def test_a_pause_for_the_first_draft_lets_another_begin() -> None:
    async with bot(running=False) as one:
        one.account.fail("chat.startStream", slow(3))
        for end in (9, 20):
            await one.draft(WHOLE[:end], "C1", THREAD)
        assert [message.streaming for message in one.account.sent] == [True]


async def test_asked_for_a_pause_the_whole_waits_as_long() -> None:
    async with bot(running=False) as one:
        for method, thread in (("chat.stopStream", THREAD), ("chat.update", None)):
            await one.draft(WHOLE[:20], "C1", thread, key=method)
            one.account.fail(method, slow(7))
            result = await one.send(WHOLE, "C1", thread, key=method)
            assert isinstance(result, NotSent)
            assert result.retry_after_s == 7.0
            assert isinstance(await one.send(WHOLE, "C1", thread, key=method), Sent)
        assert [message.text for message in one.account.sent] == [harmless(WHOLE)] * 2


FAULTS = [
    Fault(FaultKind.DROP_BEFORE),
    Fault(FaultKind.DROP_AFTER),
    Fault(FaultKind.HANG),
    Fault(FaultKind.ANSWER, 500, "<html>"),
    Fault(FaultKind.ANSWER, 200, '{"ok": true}'),
    no("internal_error"),
    no("msg_too_long"),
    no("message_not_found"),
    no("ratelimited"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.body[:14]}")
@pytest.mark.parametrize(
    ("method", "thread"),
    [
        *((method, THREAD) for method in STREAM),
        ("chat.postMessage", None),
        ("chat.update", None),
        ("chat.delete", None),
    ],
)
async def test_whatever_fails_the_whole_is_there_once(method: str, thread: str | None, fault: Fault) -> None:
    async with bot(patience=HASTY, running=False) as one:
        if method == "chat.delete":
            one.account.fail("chat.update", no("edit_window_closed"), times=9)
        for at, end in enumerate((9, 20, 30, 45)):
            if at == (0 if method in {"chat.startStream", "chat.postMessage"} else 2):
                one.account.fail(method, fault)
            await one.draft(WHOLE[:end], "C1", thread)
        left = await whole_arrives(one, chat="C1", thread=thread)
        begun_unseen = (
            method in {"chat.startStream", "chat.postMessage"} and fault.kind is FaultKind.DROP_AFTER
        )
        undeleted = method == "chat.delete" and fault.kind is not FaultKind.DROP_AFTER
        assert left == (begun_unseen or undeleted)
        assert one.account.calls[method] >= 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.body[:14]}")
@pytest.mark.parametrize("thread", [THREAD, None])
async def test_whatever_fails_at_the_end_the_whole_is_there_once(thread: str | None, fault: Fault) -> None:
    async with bot(patience=HASTY, running=False) as one:
        for end in (9, 30):
            await one.draft(WHOLE[:end], "C1", thread)
        one.account.fail("chat.stopStream" if thread else "chat.update", fault)
        assert await whole_arrives(one, chat="C1", thread=thread) == 0


@pytest.mark.parametrize("expired_after", [1, 2, 3])
async def test_a_stream_that_slack_ended_is_edited(expired_after: int) -> None:
    async with bot(running=False) as one:
        for at, end in enumerate((9, 20, 30), start=1):
            await one.draft(WHOLE[:end], "C1", THREAD)
            if at == expired_after:
                one.account.expire(one.account.sent[0].ts)
        await one.draft(WHOLE[:45], "C1", THREAD)
        assert await whole_arrives(one, chat="C1", thread=THREAD) == 0
        assert one.account.calls["chat.update"] >= 1


async def test_an_answer_that_was_begun_anew_ends_as_the_new_one() -> None:
    async with bot(running=False) as one:
        for thread, key in ((THREAD, "a"), (None, "b")):
            await one.draft("Let me look that up for you", "C1", thread, key)
            await one.draft("It is 42, as", "C1", thread, key)
            assert isinstance(await one.send("It is 42, as expected.", "C1", thread, key), Sent)
        assert [message.text for message in one.account.sent] == ["It is 42, as expected."] * 2


@pytest.mark.parametrize("thread", [THREAD, None])
async def test_a_draft_that_somebody_deleted_is_sent_anew(thread: str | None) -> None:
    async with bot(running=False) as one:
        await one.draft(WHOLE[:20], "C1", thread)
        one.account.said.clear()
        await one.draft(WHOLE[:30], "C1", thread)
        assert one.account.sent == []
        assert await whole_arrives(one, chat="C1", thread=thread) == 0


async def test_an_edit_that_may_still_arrive_is_not_waited_for() -> None:
    async with bot(patience=HASTY, running=False) as one:
        await one.draft(WHOLE[:20])
        (first,) = one.account.sent
        one.account.fail("chat.update", Fault(FaultKind.HANG))
        await one.draft(WHOLE[:30])
        assert await whole_arrives(one) == 0
        assert one.account.sent[0].ts != first.ts, "a late edit of the first finds nothing"


@pytest.mark.parametrize("thread", [THREAD, None])
async def test_after_a_restart_the_whole_is_sent_anew(thread: str | None) -> None:
    async with bot(running=False) as one:
        await one.draft(WHOLE[:20], "C1", thread)
        one.adapter = SlackAdapter(one.adapter._config, one.shared, wall=lambda: NOW + 60)
        assert await whole_arrives(one, chat="C1", thread=thread) == 1
        assert isinstance(await one.send(WHOLE, "C1", thread), Sent)
        assert len(one.account.sent) == 2, "and once"


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST_SHOWN", 2)
    async with bot(running=False) as one:
        for key in "abc":
            await one.draft(WHOLE[:20], f"D{key}", key=key)
        for key in "abc":
            assert isinstance(await one.send(WHOLE, f"D{key}", key=key), Sent)
        assert one.account.calls["chat.update"] == 2
        assert sorted(message.text for message in one.account.sent) == sorted(
            [WHOLE[:20], *[harmless(WHOLE)] * 3]
        )


@pytest.mark.parametrize("thread", [THREAD, None])
async def test_at_no_moment_a_draft_pings(thread: str | None) -> None:
    text = "a <!channel> b @here c <@U1|x> d &lt;!here&gt; e @everyone"
    async with bot(running=False) as one:
        for end in range(1, len(text)):
            await one.draft(text[:end], "C1", thread)
            for shown in one.account.sent:
                assert harmless(shown.text) == shown.text
        assert await whole_arrives(one, text, chat="C1", thread=thread) == 0


# ── signs of work ────────────────────────────────────────────────────────────────────────────────────────
async def test_the_growing_answer_takes_the_reactions_place() -> None:
    async with bot() as one:
        ts = one.account.say("a hard one")
        await one.hears("a hard one")
        await one.drained()
        chat = one.delivered[0].chat
        await one.adapter.show_working(chat)
        assert one.account.reactions == {("D7", ts, "eyes")}
        for end in (9, 20):
            await one.draft(WHOLE[:end])
            assert one.account.reactions == set()
        await one.adapter.show_working(chat)
        assert await whole_arrives(one) == 0
        assert one.account.working == [("reactions.add", "D7", ts), ("reactions.remove", "D7", ts)]
        again = one.account.say("a second one")
        await one.hears("a second one")
        await one.adapter.show_working(chat)
        assert one.account.reactions == {("D7", again, "eyes")}
        await one.drained()


async def test_the_growing_answer_takes_the_statuss_place() -> None:
    async with bot() as one:
        ts = one.account.say("<@U0BOT> a hard one", channel="C1")
        await one.hears("a hard one")
        await one.drained()
        chat, details = one.delivered[0].chat, one.delivered[0].details
        await one.adapter.show_working(chat)
        await one.timer.sleep(5)
        await one.adapter.draft(answer(WHOLE[:20], "C1", chat.thread, **details))
        assert [message.streaming for message in one.account.sent] == [True], "the event says whom it is for"
        await one.adapter.show_working(chat)
        assert one.account.working == [("status", "C1", ts)]
        assert isinstance(await one.send(WHOLE, "C1", chat.thread, **details), Sent)
        await one.adapter.show_working(chat)
        assert one.account.working == [("status", "C1", ts)] * 2


async def test_a_draft_that_was_not_shown_leaves_the_reaction() -> None:
    async with bot() as one:
        ts = one.account.say("a hard one")
        await one.hears("a hard one")
        await one.drained()
        await one.adapter.show_working(one.delivered[0].chat)
        one.account.fail("chat.postMessage", no("restricted_action"))
        await one.draft(WHOLE[:9])
        assert one.account.reactions == {("D7", ts, "eyes")}
        assert await whole_arrives(one) == 0
        assert one.account.reactions == set()
