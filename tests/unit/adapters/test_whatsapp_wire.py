"""What Meta's JSON means, and what ours means to Meta."""

import json
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
    inbound_from_json,
    inbound_to_json,
)
from adapters.whatsapp import wire

NUMBER = "1055"
OURS = "15550001111"
USER = "491701234567"
USER_ID = "DE.13491208655302741918"


def value(**parts: Any) -> dict[str, Any]:
    about = {"display_phone_number": OURS, "phone_number_id": NUMBER}
    return {"messaging_product": "whatsapp", "metadata": about, **parts}


def body(*values: dict[str, Any], field: str = "messages") -> bytes:
    changes = [{"field": field, "value": one} for one in values]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}
    ).encode()


def raw(**parts: Any) -> dict[str, Any]:
    text = {} if "type" in parts else {"type": "text", "text": {"body": "hello"}}
    return {"id": "wamid.1", "from": USER, "timestamp": "1780000000", **text, **parts}


def read(message: dict[str, Any], *people: dict[str, Any]) -> InboundMessage:
    hook = wire.parse(body(value(messages=[message], contacts=list(people))), NUMBER)
    assert hook.unreadable == [], hook.why
    (found,) = hook.messages
    assert inbound_from_json(inbound_to_json(found)) == found
    return found


# ── who and what ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_text() -> None:
    found = read(raw(), {"wa_id": USER, "profile": {"name": "Ada"}})
    assert (found.event_id, found.account, found.text) == ("wamid.1", NUMBER, "hello")
    assert (found.sender.id, found.sender.name, found.chat) == (USER, "Ada", ChatRef(USER))
    assert (found.sent_at_ms, found.addressed, found.command) == (1780000000000, True, None)
    assert found.details == {"message_id": "wamid.1", "to": USER}


def test_a_user_is_known_by_metas_id_and_answered_by_number() -> None:
    person = {"wa_id": USER, "user_id": USER_ID, "profile": {"name": "Ada"}}
    for message in (raw(), raw(from_user_id=USER_ID)):
        found = read(message, person)
        assert (found.sender.id, found.chat.id, found.details["to"]) == (USER_ID, USER_ID, USER)


@pytest.mark.parametrize(
    "parts",
    [{"from_user_id": USER_ID}, {"from": USER_ID}, {"from": USER_ID, "from_user_id": USER_ID}, {}],
    ids=["by id", "id in from", "both", "by the one contact"],
)
def test_a_user_with_a_name_has_no_number(parts: dict[str, Any]) -> None:
    message = {**raw(), **parts}
    if "from" not in parts:
        del message["from"]
    found = read(message, {"user_id": USER_ID, "profile": {"name": "Ada", "username": "ada"}})
    assert (found.sender.id, found.sender.name) == (USER_ID, "Ada")
    assert found.details == {"message_id": "wamid.1"}


def test_each_message_of_a_change_has_its_own_contact() -> None:
    people = [{"wa_id": str(n), "profile": {"name": f"N{n}"}} for n in (1, 2)]
    messages = [{**raw(), "id": f"w{n}", "from": str(n)} for n in (2, 1)]
    hook = wire.parse(body(value(messages=messages, contacts=people)), NUMBER)
    assert [(m.sender.id, m.sender.name) for m in hook.messages] == [("2", "N2"), ("1", "N1")]


@pytest.mark.parametrize(
    ("parts", "text", "attachment"),
    [
        (
            {"type": "image", "image": {"id": "9", "mime_type": "image/jpeg", "caption": "see"}},
            "see",
            AttachmentKind.IMAGE,
        ),
        ({"type": "audio", "audio": {"id": "9", "voice": True}}, "", AttachmentKind.AUDIO),
        ({"type": "video", "video": {"id": "9", "caption": "v"}}, "v", AttachmentKind.OTHER),
        ({"type": "sticker", "sticker": {"id": "9"}}, "", AttachmentKind.OTHER),
        (
            {
                "type": "document",
                "document": {"id": "9", "filename": "a.pdf", "mime_type": "application/pdf"},
            },
            "",
            AttachmentKind.DOCUMENT,
        ),
        ({"type": "document", "document": {"id": "9", "mime_type": "image/png"}}, "", AttachmentKind.IMAGE),
        ({"type": "location", "location": {"latitude": 1}}, "", AttachmentKind.OTHER),
        ({"type": "contacts", "contacts": []}, "", AttachmentKind.OTHER),
        ({"type": "order", "order": {"text": "two"}}, "two", AttachmentKind.OTHER),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, "", AttachmentKind.OTHER),
        ({"type": "button", "button": {"text": "Yes", "payload": "y"}}, "Yes", None),
        (
            {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"title": "Two"}}},
            "Two",
            None,
        ),
        (
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}},
            "Sent",
            None,
        ),
    ],
    ids=lambda part: part.get("type") if isinstance(part, dict) else None,
)
def test_what_came_is_text_and_attachments(
    parts: dict[str, Any], text: str, attachment: AttachmentKind | None
) -> None:
    found = read(raw(**parts))
    assert found.text == text
    assert [a.kind for a in found.attachments] == ([] if attachment is None else [attachment])
    body_of = parts.get(parts["type"], {})
    reference = body_of.get("id", "") if isinstance(body_of, dict) else ""
    assert all(a.reference == reference for a in found.attachments)


@pytest.mark.parametrize("kind", ["reaction", "system", "ephemeral", "request_welcome"])
def test_some_things_are_no_messages(kind: str) -> None:
    hook = wire.parse(body(value(messages=[raw(type=kind, **{kind: {"emoji": "x"}})])), NUMBER)
    assert (hook.messages, hook.unreadable) == ([], [])


def test_nothing_of_ours_is_heard() -> None:
    assert wire.parse(body(value(messages=[{**raw(), "from": OURS}])), NUMBER).messages == []


def test_other_fields_are_nothing_of_ours() -> None:
    hook = wire.parse(body(value(messages=[raw()]), field="smb_message_echoes"), NUMBER)
    assert (hook.messages, hook.unreadable) == ([], [])


def test_another_numbers_messages_are_told_and_left() -> None:
    other = value(messages=[raw()])
    other["metadata"] = {"phone_number_id": "9999"}
    hook = wire.parse(body(other, value(messages=[raw()])), NUMBER)
    assert (hook.foreign, len(hook.messages)) == ({"9999"}, 1)


@pytest.mark.parametrize(
    ("text", "command"), [("/Reset now", "reset"), ("/reset", "reset"), ("a /reset", None)]
)
def test_commands(text: str, command: str | None) -> None:
    found = read(raw(text={"body": text}, type="text"))
    assert (found.command, found.text) == (command, text)


@pytest.mark.parametrize(
    ("parts", "addressed", "text"),
    [
        ({}, False, "hello"),
        ({"text": {"body": f"@{OURS} hello"}}, True, "hello"),
        ({"text": {"body": f"a@{OURS} hello"}}, False, f"a@{OURS} hello"),
        ({"context": {"from": OURS, "id": "wamid.0"}}, True, "hello"),
        ({"context": {"from": USER, "id": "wamid.0"}}, False, "hello"),
        ({"text": {"body": "/help"}}, True, "/help"),
    ],
)
def test_in_a_group_the_bot_is_meant_by_mention_reply_or_command(
    parts: dict[str, Any], *, addressed: bool, text: str
) -> None:
    found = read({**raw(), "group_id": "grp1", **parts})
    assert found.chat == ChatRef("grp1", ChatKind.GROUP)
    assert (found.addressed, found.text, found.sender.id) == (addressed, text, USER)


def test_a_reply_says_to_what() -> None:
    assert read(raw(context={"from": OURS, "id": "wamid.0"})).reply_to == "wamid.0"


def test_a_text_can_be_stored() -> None:
    assert read(raw(type="text", text={"body": "a\ud800\0b"})).text == "a?b"


# ── several, and faulty ones ─────────────────────────────────────────────────────────────────────────────────
def test_all_entries_changes_messages_and_statuses_are_read_in_order() -> None:
    def said(number: int) -> dict[str, Any]:
        return {**raw(), "id": f"w{number}"}

    states = [{"id": "o1", "status": "sent"}, {"id": "o1", "status": "read", "biz_opaque_callback_data": "k"}]
    first = json.loads(body(value(messages=[said(1), said(2)]), value(messages=[said(3)], statuses=states)))
    second = json.loads(body(value(messages=[said(4)])))
    hook = wire.parse(json.dumps({"entry": first["entry"] + second["entry"]}).encode(), NUMBER)
    assert [message.event_id for message in hook.messages] == ["w1", "w2", "w3", "w4"]
    assert [(status.state, status.key) for status in hook.statuses] == [("sent", None), ("read", "k")]


@pytest.mark.parametrize(
    "faulty",
    [
        {"id": "w", "type": "text"},
        {**raw(), "id": 5},
        {**raw(), "id": ""},
        {**raw(), "timestamp": "soon"},
        {**raw(), "type": "hologram", "hologram": {}},
        {**raw(), "text": "plain"},
        {**raw(), "from": ""},
        {**raw(type="image", image={})},
        "text",
        None,
        7,
    ],
    ids=str,
)
def test_what_cannot_be_read_is_kept_and_spoils_nothing(faulty: Any) -> None:
    hook = wire.parse(body(value(messages=[faulty, raw()])), NUMBER)
    assert hook.unreadable == [faulty]
    assert [message.event_id for message in hook.messages] == ["wamid.1"]
    assert "a message cannot be read" in hook.why


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"entry": {}}', b"\xff", b"[" * 100_000], ids=lambda b: str(b[:9])
)
def test_what_is_no_webhook_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableUpdate):
        wire.parse(text, NUMBER)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=3), JSON, JSON, JSON)
def test_anything_at_all_leaves_a_webhook_readable(
    entries: Any, message: Any, status: Any, text: Any
) -> None:
    good = value(messages=[message, {**raw(), "text": text}, raw()], statuses=[status])
    wired = json.loads(body(good))
    hook = wire.parse(json.dumps({"entry": [*entries, *wired["entry"]]}).encode(), NUMBER)
    assert hook.messages[-1].event_id == "wamid.1"
    for found in hook.messages:
        assert inbound_from_json(inbound_to_json(found)) == found


# ── the challenge ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"hub.mode": "x"}, 403),
        ({"hub.verify_token": "ünlike"}, 403),
        ({"hub.verify_token": ""}, 403),
    ],
)
def test_the_challenge_wants_our_token(change: dict[str, str], status: int) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "mine", "hub.challenge": "1158", **change}
    answer = wire.challenge(query, "mine")
    assert answer.status == status
    assert (answer.body == b"1158", answer.content_type == "text/plain") == (status == 200, status == 200)


# ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────
def outgoing(text: str = "hi", chat: ChatRef | None = None, **details: Any) -> dict[str, Any]:
    return wire.send_fields(OutboundMessage("t1.0", chat or ChatRef(USER), text, "wamid.1", details))


def test_a_text_goes_to_the_number() -> None:
    assert outgoing() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": USER,
        "type": "text",
        "text": {"preview_url": False, "body": "hi"},
        "biz_opaque_callback_data": "t1.0",
    }


def test_a_user_id_never_goes_into_to() -> None:
    fields = outgoing(chat=ChatRef(USER_ID))
    assert (fields["recipient"], "to" in fields) == (USER_ID, False)
    fields = outgoing(chat=ChatRef(USER_ID), to=USER)
    assert (fields["to"], "recipient" in fields) == (USER, False)
    assert outgoing(chat=ChatRef(USER), to="javascript:")["to"] == USER


def test_a_group_is_answered_with_a_quote() -> None:
    fields = outgoing(chat=ChatRef("grp1", ChatKind.GROUP), to=USER, message_id="wamid.1")
    assert (fields["recipient_type"], fields["to"]) == ("group", "grp1")
    assert fields["context"] == {"message_id": "wamid.1"}


def test_markdown_becomes_whatsapps_own_and_fits() -> None:
    assert outgoing("**bold** and *soft*")["text"]["body"] == "*bold* and _soft_"
    assert len(outgoing("**a** " * 682)["text"]["body"]) <= 4096


def test_our_id_fits_what_meta_takes() -> None:
    assert wire.callback_data("k" * 300 + "7") == "k" * 255 + "7"


@pytest.mark.parametrize(
    "answer", [{}, {"messages": []}, {"messages": None}, {"messages": [{}]}, {"messages": [{"id": 5}]}]
)
def test_an_answer_without_an_id(answer: dict[str, Any]) -> None:
    assert wire.wamid(answer) is None
