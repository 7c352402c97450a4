"""Slack's JSON, read and written."""

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import UnreadableUpdate
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
    inbound_from_json,
    inbound_to_json,
)
from adapters.slack.wire import (
    LONGEST_NOTICE,
    Me,
    channel_of,
    harmless,
    has_form,
    in_thread,
    parse,
    plain,
    post_fields,
    sent_key,
)
from adapters.text import utf16_units

ME = Me("T1", "U0BOT", "B0BOT", "helper", "Acme")
TS = "1780000000.000100"


def body(**event: Any) -> dict[str, Any]:
    whole = {
        "type": "message",
        "channel": "D7",
        "channel_type": "im",
        "user": "U7",
        "text": "hello",
        "ts": TS,
        **event,
    }
    given_ = {key: value for key, value in whole.items() if value is not None}
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": given_}


def read(**event: Any) -> InboundMessage:
    found = parse(body(**event), ME)
    assert found is not None
    return found


def in_channel(**event: Any) -> InboundMessage:
    return read(**{"channel": "C1", "channel_type": "channel", **event})


def test_a_direct_message() -> None:
    assert read() == InboundMessage(
        event_id=f"D7:{TS}",
        account="T1",
        chat=ChatRef("D7"),
        sender=Sender("U7"),
        text="hello",
        sent_at_ms=1_780_000_000_000,
        details={"ts": TS, "asker": "U7", "team": "T1"},
    )


def test_a_thread_in_a_direct_chat_is_a_place_of_its_own() -> None:
    message = read(thread_ts="1779999999.000100", parent_user_id="U0BOT")
    assert message.chat == ChatRef("D7", ChatKind.DIRECT, "1779999999.000100")
    assert message.addressed
    assert message.reply_to == "1779999999.000100"


@pytest.mark.parametrize(
    ("text", "addressed", "left"),
    [
        ("hello all", False, "hello all"),
        ("<@U0BOT> hello", True, "hello"),
        ("<@U0BOT>: hello", True, "hello"),
        ("<@U0BOT|helper> hello", True, "hello"),
        ("hello <@U0BOT>", True, "hello"),
        ("ask <@U0BOT> now", True, "ask now"),
        ("<@U0BOT2> hello", False, "@U0BOT2 hello"),
        ("&lt;@U0BOT&gt; hello", False, "<@U0BOT> hello"),
    ],
)
def test_in_a_channel_it_is_meant_by_a_mention(text: str, addressed: bool, left: str) -> None:  # noqa: FBT001
    message = in_channel(text=text)
    assert (message.addressed, message.text) == (addressed, left)


def test_a_question_in_a_channel_begins_a_thread() -> None:
    message = in_channel(text="<@U0BOT> hello")
    assert message.chat == ChatRef("C1", ChatKind.GROUP, TS)
    assert message.reply_to is None


@pytest.mark.parametrize(("parent", "addressed"), [("U0BOT", True), ("U8", False)])
def test_a_reply_to_us_is_meant_for_us(parent: str, *, addressed: bool) -> None:
    message = in_channel(thread_ts="1779999999.000100", parent_user_id=parent)
    assert message.addressed is addressed
    assert message.chat.thread == "1779999999.000100"
    assert in_thread(message) is not addressed


def test_a_message_outside_of_threads_is_not_worth_asking_for() -> None:
    assert not in_thread(in_channel())
    assert not in_thread(in_channel(thread_ts="1779999999.000100", bot_id="B2"))
    assert not in_thread(in_channel(thread_ts=TS))


def test_app_mention_and_message_are_the_same() -> None:
    text = "<@U0BOT> hello"
    mention = in_channel(type="app_mention", channel_type=None, text=text)
    assert mention == in_channel(text=text)


@pytest.mark.parametrize(
    ("event", "sender"),
    [
        ({"bot_id": "B2"}, Sender("U7", is_bot=True)),
        (
            {"bot_id": "B2", "user": None, "subtype": "bot_message", "username": "CI"},
            Sender("B2", "CI", is_bot=True),
        ),
        ({"user": "USLACKBOT"}, Sender("USLACKBOT", is_bot=True)),
    ],
)
def test_other_bots(event: dict[str, Any], sender: Sender) -> None:
    assert read(**event).sender == sender


@pytest.mark.parametrize(
    "event",
    [
        {"user": "U0BOT"},
        {"user": "U9", "bot_id": "B0BOT"},
        {"subtype": "message_changed", "message": {}},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"hidden": True},
        {"text": ""},
        {"type": "reaction_added"},
        {"type": "assistant_thread_started"},
    ],
)
def test_what_nobody_answers(event: dict[str, Any]) -> None:
    assert parse(body(**event), ME) is None


@pytest.mark.parametrize(
    "event",
    [
        {"channel": None},
        {"ts": None},
        {"ts": "soon"},
        {"ts": 5},
        {"user": None},
        {"user": {"id": "U7"}},
        {"text": ["hello"]},
        {"thread_ts": 5},
        {"files": [{}]},
        {"files": 5},
    ],
)
def test_what_cannot_be_read(event: dict[str, Any]) -> None:
    with pytest.raises(UnreadableUpdate, match="Ev1"):
        parse(body(**event), ME)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/reset", "reset"),
        (" /Reset now", "reset"),
        ("<@U0BOT> /help", "help"),
        ("/", None),
        ("/a/b", None),
        ("see /reset", None),
    ],
)
def test_commands_in_a_text(text: str, command: str | None) -> None:
    assert read(text=text).command == command


@pytest.mark.parametrize(
    ("name", "text", "command", "left"),
    [
        ("/reset", "", "reset", "/reset"),
        ("/Help", "me", "help", "/help me"),
        ("/helper", "reset", "reset", "/reset reset"),
        ("/helper", "/usage", "usage", "/usage /usage"),
        ("/ask", "what is &lt;this&gt;?", None, "what is <this>?"),
        ("/ask", "", None, "/ask"),
    ],
)
def test_slash_commands(name: str, text: str, command: str | None, left: str) -> None:
    fields = {
        "command": name,
        "text": text,
        "channel_id": "C1",
        "user_id": "U7",
        "user_name": "ada",
        "trigger_id": "1.2.x",
    }
    message = parse(fields, ME)
    assert message is not None
    assert (message.command, message.text) == (command, left)
    assert (message.event_id, message.account) == ("slash:1.2.x", "T1")
    assert (message.chat, message.sender) == (ChatRef("C1", ChatKind.GROUP), Sender("U7", "ada"))
    assert message.addressed
    with pytest.raises(UnreadableUpdate):
        parse({**fields, "trigger_id": None}, ME)


def test_files_are_referenced_and_never_by_address() -> None:
    files = [
        {
            "id": "F1",
            "mimetype": "image/png",
            "name": "a.png",
            "size": 12,
            "url_private": "https://files/secret",
        },
        {"id": "F2", "mimetype": "application/pdf", "name": "b.pdf"},
        {"id": "F3", "mimetype": "audio/mp4"},
        {"id": "F4", "mimetype": "video/mp4"},
        {"id": "F5", "mode": "tombstone"},
        {"id": "F6", "file_access": "check_file_info"},
    ]
    message = read(subtype="file_share", text=None, files=files)
    assert message.text == ""
    assert message.attachments[:2] == (
        Attachment(AttachmentKind.IMAGE, "F1", "image/png", "a.png", 12),
        Attachment(AttachmentKind.DOCUMENT, "F2", "application/pdf", "b.pdf"),
    )
    assert [one.kind for one in message.attachments[2:]] == [
        AttachmentKind.AUDIO,
        AttachmentKind.OTHER,
        AttachmentKind.OTHER,
        AttachmentKind.OTHER,
    ]
    assert "secret" not in inbound_to_json(message)
    assert inbound_from_json(inbound_to_json(message)) == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<@U8> and <@U9|grace>", "@U8 and @grace"),
        ("in <#C1|general> or <#C2>", "in #general or #C2"),
        ("<!here> <!channel|@channel> <!subteam^S1|@ops> <!subteam^S2>", "@here @channel @ops @subteam"),
        ("<https://a.example/x?y=1&amp;z>", "https://a.example/x?y=1&z"),
        ("<https://a.example|here>", "here (https://a.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("1 &lt; 2 <", "1 < 2 <"),
        ("half \ud83d a pair\0", "half ? a pair"),
    ],
)
def test_what_a_reader_sees(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<!here|x>",
        "<!everyone>",
        "<@U123>",
        "<#C123>",
        "<!subteam^S1>",
        "@channel",
        "@HERE now",
        "`<!channel>`",
        "<<!channel>>",
        "\\<!channel>",
        r"<\!channel>",
        "&lt;!channel&gt;",
        "&#60;!here>",
        "&#x3C;@U123>",
        "<&#33;channel>",
        "&LT;&excl;here>",
    ],
)
def test_nobody_is_pinged(text: str) -> None:
    shown = harmless(text)
    for seen in (shown, html.unescape(shown), html.unescape(shown).replace("\\", "")):
        assert not any(mark in seen.lower() for mark in ("<!", "<@", "<#", "@channel", "@here", "@everyone"))
    assert utf16_units(shown) == utf16_units(text)
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    "text", ["a < b", "<div>", "me@example.org", "@channels", "[x](https://a.example)", "a &lt; b && c"]
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(st.text(alphabet="<!@#channelhere>| \n"))
def test_no_text_pings_and_none_grows(text: str) -> None:
    shown = harmless(text)
    assert len(shown) == len(text)
    assert "<!" not in shown
    assert "<@" not in shown


def out(text: str, chat: ChatRef | None = None) -> OutboundMessage:
    return OutboundMessage("b1:2", chat or ChatRef("C1", ChatKind.GROUP, TS), text)


def test_a_post() -> None:
    assert post_fields(out("**hi** <!here>")) == {
        "channel": "C1",
        "thread_ts": TS,
        "text": "**hi** \u2039!here>",
        "blocks": [{"type": "markdown", "text": "**hi** \u2039!here>"}],
        "metadata": {"event_type": "botrunner_part", "event_payload": {"key": "b1:2"}},
        "unfurl_links": False,
        "unfurl_media": False,
    }


def test_a_notice_is_short_and_the_plain_text_is_whole() -> None:
    text = "word " * 400
    assert len(str(post_fields(out(text))["text"])) == LONGEST_NOTICE
    without = post_fields(out(text), blocks=False, in_thread=False)
    assert without["text"] == text
    assert not {"blocks", "thread_ts"} & set(without)
    assert "thread_ts" not in post_fields(out(text, ChatRef("D7")))


def test_the_key_comes_back_from_the_history() -> None:
    assert sent_key(post_fields(out("hi"))) == "b1:2"
    foreign = {"metadata": {"event_type": "x", "event_payload": {"key": "b1:2"}}}
    others: list[object] = [None, [], {}, {"metadata": 5}, foreign]
    for other in others:
        assert sent_key(other) is None
    assert sent_key({"metadata": {"event_type": "botrunner_part", "event_payload": {"key": 5}}}) is None


def test_where_something_happened() -> None:
    assert channel_of(body()) == "D7"
    assert channel_of({"channel_id": "C1"}) == "C1"
    odds: list[object] = [None, [], {}, {"event": []}, {"event": {"channel": {"id": "C1"}}}]
    for odd in odds:
        assert channel_of(odd) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "event",
                    "command",
                    "type",
                    "channel",
                    "ts",
                    "text",
                    "user",
                    "files",
                    "id",
                    "trigger_id",
                    "subtype",
                ]
            ),
            inner,
        )
    ),
)


@given(JSON, st.sampled_from(["message", "app_mention"]))
def test_no_event_raises_anything_else(raw: Any, kind: str) -> None:
    event = {**raw, "type": kind} if isinstance(raw, dict) else raw
    whole = {"event": event}
    if has_form(whole):
        try:
            parse(whole, ME)
        except UnreadableUpdate:
            return
