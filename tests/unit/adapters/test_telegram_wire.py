"""Telegram's JSON, read and written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import UnreadableUpdate
from adapters.messages import (
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
    inbound_from_json,
    inbound_to_json,
)
from adapters.telegram.wire import Me, parse, send_fields, update_id

ME = Me(42, "Shop_Bot")
ADA = {"id": 7, "is_bot": False, "first_name": "Ada", "last_name": "L"}
GROUP = {"id": -100, "type": "supergroup", "title": "G"}


def update(**message: Any) -> dict[str, Any]:
    whole = {
        "message_id": 3,
        "date": 1_700_000_000,
        "chat": {"id": 7, "type": "private"},
        "from": ADA,
        **message,
    }
    return {"update_id": 99, "message": {key: value for key, value in whole.items() if value is not None}}


def read(**message: Any) -> InboundMessage:
    found = parse(update(**message), ME)
    assert found is not None
    return found


def test_a_direct_message() -> None:
    assert read(text="hello") == InboundMessage(
        event_id="99",
        account="42",
        chat=ChatRef("7"),
        sender=Sender("7", "Ada L"),
        text="hello",
        sent_at_ms=1_700_000_000_000,
        details={"message_id": 3},
    )


@pytest.mark.parametrize(
    ("text", "command", "left"),
    [
        ("/reset", "reset", "/reset"),
        ("/Reset@shop_bot now", "reset", "/Reset now"),
        ("/reset@other_bot", None, "/reset@other_bot"),
        ("/", None, "/"),
        ("/a/b", None, "/a/b"),
        ("see /reset", None, "see /reset"),
    ],
)
def test_commands(text: str, command: str | None, left: str) -> None:
    message = read(text=text)
    assert (message.command, message.text) == (command, left)


@pytest.mark.parametrize(
    ("text", "addressed", "left"),
    [
        ("hello all", False, "hello all"),
        ("@Shop_Bot hello", True, "hello"),
        ("🎉🎉 hello @SHOP_BOT!", True, "🎉🎉 hello !"),
        ("mail me@shop_bot", False, "mail me@shop_bot"),
        ("@shop_bot2 hello", False, "@shop_bot2 hello"),
        ("/reset", True, "/reset"),
        ("/reset@shop_bot", True, "/reset"),
        ("/reset@other_bot", False, "/reset@other_bot"),
    ],
)
def test_who_is_meant_in_a_group(text: str, addressed: object, left: str) -> None:
    message = read(text=text, chat=GROUP)
    assert (message.addressed, message.text, message.chat.kind) == (addressed, left, ChatKind.GROUP)


def test_a_reply_to_the_bot_means_it() -> None:
    replied = {"message_id": 2, "from": {"id": 42, "is_bot": True}}
    assert read(text="and?", chat=GROUP, reply_to_message=replied).addressed
    other = read(text="and?", chat=GROUP, reply_to_message={"message_id": 2, "from": {"id": 8}})
    assert (other.addressed, other.reply_to) == (False, "2")


def test_a_link_to_the_bot_means_it() -> None:
    entities = [{"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 42}}]
    assert read(text="You there", chat=GROUP, entities=entities).addressed


def test_only_a_topic_is_a_thread() -> None:
    assert read(text="x", chat=GROUP, message_thread_id=5, is_topic_message=True).chat == ChatRef(
        "-100", ChatKind.GROUP, "5"
    )
    assert read(text="x", chat=GROUP, message_thread_id=5).chat.thread is None


def test_bots_are_flagged_and_we_are_not_heard() -> None:
    assert read(text="x", **{"from": {"id": 8, "is_bot": True, "first_name": "B"}}).sender.is_bot
    assert parse(update(text="x", **{"from": {"id": 42, "is_bot": True}}), ME) is None


def test_an_anonymous_admin_is_the_group_and_no_bot() -> None:
    helper = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    assert read(text="x", chat=GROUP, sender_chat=GROUP, **{"from": helper}).sender == Sender("-100", "G")


@pytest.mark.parametrize(
    "raw",
    [
        {"update_id": 1},
        {"update_id": 1, "edited_message": {}},
        update(new_chat_members=[{}]),
        update(chat=GROUP, migrate_to_chat_id=-1009),
        update(text="post", is_automatic_forward=True, sender_chat=GROUP),
    ],
)
def test_what_nobody_answers(raw: dict[str, Any]) -> None:
    assert parse(raw, ME) is None


def test_a_photo_is_its_largest_size_and_its_caption_the_text() -> None:
    sizes = [
        {"file_id": name, "width": w, "height": w, "file_size": w}
        for name, w in (("s", 1), ("l", 9), ("m", 5))
    ]
    message = read(photo=sizes, caption="what is it?", text=None)
    (photo,) = message.attachments
    assert (photo.kind, photo.reference, photo.size_bytes, photo.media_type) == (
        AttachmentKind.IMAGE,
        "l",
        9,
        "image/jpeg",
    )
    assert message.text == "what is it?"


@pytest.mark.parametrize(
    ("field", "mime", "kind"),
    [
        ("document", "application/pdf", AttachmentKind.DOCUMENT),
        ("document", "image/png", AttachmentKind.IMAGE),
        ("voice", "audio/ogg", AttachmentKind.AUDIO),
        ("audio", None, AttachmentKind.AUDIO),
        ("video", "video/mp4", AttachmentKind.OTHER),
        ("sticker", None, AttachmentKind.OTHER),
    ],
)
def test_attachments_are_referenced(field: str, mime: str | None, kind: AttachmentKind) -> None:
    raw = {"file_id": "f", "mime_type": mime, "file_name": "n", "file_size": 12}
    (attachment,) = read(**{field: raw}).attachments
    assert (attachment.kind, attachment.reference, attachment.name, attachment.size_bytes) == (
        kind,
        "f",
        "n",
        12,
    )


def test_a_place_is_something_to_answer_too() -> None:
    (attachment,) = read(location={"latitude": 1, "longitude": 2}).attachments
    assert (attachment.kind, attachment.name) == (AttachmentKind.OTHER, "location")


@pytest.mark.parametrize(
    "raw",
    [
        {"update_id": 1, "message": "text"},
        {"update_id": 1, "message": {}},
        {"message": update(text="x")["message"]},
        update(text=7),
        update(text="x", chat={"id": "7", "type": "private"}),
        update(text="x", chat={"id": True, "type": "private"}),
        update(text="x", **{"from": {"id": None}}),
        update(text="x", **{"from": None}),
        update(text="x", message_id=None),
        update(text="x", date="today"),
        update(document={"file_id": 5}),
        update(photo=[{}]),
    ],
)
def test_what_cannot_be_read_says_so(raw: dict[str, Any]) -> None:
    with pytest.raises(UnreadableUpdate, match=f"update {update_id(raw)} "):
        parse(raw, ME)


def test_half_a_surrogate_pair_and_nul_are_made_storable() -> None:
    assert read(text="a\ud83d\0b").text == "a?b"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "from", "chat", "text", "file_id", "user"]), inner)
    ),
    max_leaves=8,
)


@given(
    message=st.dictionaries(
        st.sampled_from([*update(text="")["message"], "photo", "voice", "entities"]), JSON
    )
)
def test_whatever_comes_is_read_stepped_over_or_unreadable(message: dict[str, Any]) -> None:
    raw = {"update_id": 5, "message": {**update(text="x", chat=GROUP)["message"], **message}}
    try:
        found = parse(raw, ME)
    except UnreadableUpdate:
        return
    assert found is None or (found.event_id == "5" and inbound_from_json(inbound_to_json(found)) == found)


@pytest.mark.parametrize(
    ("raw", "number"), [({"update_id": 5}, 5), ({"update_id": "5"}, None), ([], None), (3, None)]
)
def test_the_number_of_an_update(raw: object, number: int | None) -> None:
    assert update_id(raw) == number


def test_what_is_sent() -> None:
    plain = {"link_preview_options": '{"is_disabled": true}'}
    group, direct, asked = ChatRef("-100", ChatKind.GROUP, "5"), ChatRef("7"), {"message_id": 3}
    assert send_fields(OutboundMessage("t1.1", group, "**hi**", "99", asked)) == {
        "chat_id": "-100",
        "message_thread_id": "5",
        "text": "hi",
        "entities": [{"type": "bold", "offset": 0, "length": 2}],
        "reply_parameters": {"message_id": 3, "allow_sending_without_reply": True},
        **plain,
    }
    assert send_fields(OutboundMessage("t1.1", direct, "hi", "99", asked)) == {
        "chat_id": "7",
        "text": "hi",
        **plain,
    }


@pytest.mark.parametrize(("key", "quotes"), [("t1.1", True), ("t1.2", False), ("t1.11", False), ("k", True)])
def test_only_the_first_part_quotes(key: str, *, quotes: bool) -> None:
    part = OutboundMessage(key, ChatRef("-100", ChatKind.GROUP), "hi", "99", {"message_id": 3})
    assert ("reply_parameters" in send_fields(part)) is quotes
