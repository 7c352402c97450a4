"""Discord's JSON and our messages; its config; its places."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.discord import wire
from adapters.discord.config import Config
from adapters.discord.places import Places, Spoken
from adapters.errors import UnreadableUpdate
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    inbound_from_json,
    inbound_to_json,
)
from adapters.text import utf16_units

ME = wire.Me("42", "bot")
USER = {"id": "7", "username": "ada", "global_name": "Ada L."}
BOT = {"id": "42", "username": "bot", "bot": True}
NUMBER = "1551622331518943235"
TOKEN = "NDI.GfAkE.fake-SEEN"


def said(content: str = "hi", **more: object) -> dict[str, Any]:
    return {
        "id": NUMBER,
        "channel_id": "600",
        "type": 0,
        "content": content,
        "author": USER,
        "mentions": [],
        "attachments": [],
        **more,
    }


def in_guild(content: str = "hi", **more: object) -> dict[str, Any]:
    return said(content, guild_id="5000", **more)


def parsed(raw: dict[str, Any], **more: Any) -> InboundMessage:
    message = wire.parse(raw, ME, **more)
    assert message is not None
    assert inbound_from_json(inbound_to_json(message)) == message
    return message


def test_a_direct_message() -> None:
    message = parsed(said("hello"))
    assert message.chat == ChatRef("600")
    assert (message.event_id, message.account, message.text) == (NUMBER, "42", "hello")
    assert (message.sender.id, message.sender.name, message.sender.is_bot) == ("7", "Ada L.", False)
    assert message.addressed
    assert message.sent_at_ms == 1_790_005_991_583
    assert message.details == {"message_id": NUMBER}


@pytest.mark.parametrize(
    ("raw", "addressed", "text"),
    [
        (in_guild("hi"), False, "hi"),
        (in_guild("<@42> hi", mentions=[BOT]), True, "hi"),
        (in_guild("hi <@!42>", mentions=[BOT]), True, "hi"),
        (in_guild("<@&77> hi", mention_roles=["77"]), True, "hi"),
        (in_guild("<@&78> hi", mention_roles=["78"]), False, "<@&78> hi"),
        (in_guild("yes", type=19, referenced_message=said(author=BOT)), True, "yes"),
        (in_guild("yes", type=19, referenced_message=said()), False, "yes"),
        (in_guild("yes", type=19, referenced_message=None), False, "yes"),
        (in_guild("in ours", channel_id="900"), True, "in ours"),
        (in_guild("<@42>", mentions=[BOT]), True, ""),
        (in_guild("<@7> said", mentions=[USER]), False, "@Ada L. said"),
        (in_guild("@everyone look", mention_everyone=True), False, "@everyone look"),
    ],
)
def test_who_is_meant_in_a_server(raw: dict[str, Any], *, addressed: bool, text: str) -> None:
    message = parsed(raw, threads={"900"}, roles={"77"})
    assert (message.addressed, message.text, message.chat.kind) == (addressed, text, ChatKind.GROUP)


def test_commands_in_a_text() -> None:
    assert parsed(said("/Reset all")).command == "reset"
    assert parsed(in_guild("<@42> /usage", mentions=[BOT])).command == "usage"
    assert parsed(said("/not-a command")).command is None


def test_a_reply_names_what_it_answers_and_a_forward_does_not() -> None:
    assert parsed(said(message_reference={"message_id": "9"})).reply_to == "9"
    forward = said("", message_reference={"message_id": "9", "type": 1})
    forward["message_snapshots"] = [{"message": {"content": "from elsewhere"}}]
    assert (parsed(forward).reply_to, parsed(forward).text) == (None, "from elsewhere")


def test_names_come_from_the_server_then_the_account() -> None:
    assert parsed(in_guild(member={"nick": "Countess"})).sender.name == "Countess"
    assert parsed(said(author={"id": "7", "username": "ada"})).sender.name == "ada"
    assert parsed(said(author={**USER, "bot": True})).sender.is_bot


def test_attachments_are_referenced_without_their_signed_address() -> None:
    signed = {"url": "https://cdn.example/a.png?ex=1&hm=SECRET", "size": 5}
    raw = said("", sticker_items=[{"id": "1", "name": "wave"}])
    raw["attachments"] = [
        {"id": "1", "filename": "a.png", "content_type": "image/png", **signed},
        {"id": "2", "filename": "a.ogg", "content_type": "audio/ogg", **signed},
        {"id": "3", "filename": "a.pdf", **signed},
    ]
    message = parsed(raw)
    image, audio, document, sticker = message.attachments
    assert image == Attachment(AttachmentKind.IMAGE, f"600/{NUMBER}/1", "image/png", "a.png", 5)
    assert (audio.kind, document.kind, sticker.kind) == (
        AttachmentKind.AUDIO,
        AttachmentKind.DOCUMENT,
        AttachmentKind.OTHER,
    )
    assert "SECRET" not in inbound_to_json(message)


@pytest.mark.parametrize(
    "raw",
    [said(author=BOT), said(""), said("joined", type=7), said("pinned", type=6)],
    ids=["own", "empty", "joined", "pinned"],
)
def test_what_nobody_answers(raw: dict[str, Any]) -> None:
    assert wire.parse(raw, ME) is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"id": NUMBER},
        said(author=None),
        said(id=7),
        said(id="x"),
        said(channel_id="../9"),
        {**said(), "content": 7},
        in_guild(mentions=[7]),
        said(attachments=[{}]),
        said(id="9" * 40),
    ],
)
def test_what_cannot_be_read(raw: Any) -> None:
    with pytest.raises(UnreadableUpdate):
        wire.parse(raw, ME)


def test_texts_can_be_stored() -> None:
    assert parsed(said("a\0b\ud800")).text == "ab?"


def asked(name: str = "ask", text: str | None = "how?", **more: object) -> dict[str, Any]:
    options = [] if text is None else [{"name": "text", "type": 3, "value": text}]
    return {
        "id": NUMBER,
        "application_id": "4242",
        "type": 2,
        "token": "tok-SEEN_1",
        "channel_id": "600",
        "guild_id": "5000",
        "member": {"user": USER, "nick": None},
        "data": {"name": name, "options": options},
        **more,
    }


def test_interactions() -> None:
    message = wire.parse_interaction(asked(), "42")
    assert message is not None
    assert (message.text, message.command, message.addressed, message.sender.id) == ("how?", None, True, "7")
    assert message.details == {"interaction": NUMBER, "application": "4242", "token": "tok-SEEN_1"}
    reset = wire.parse_interaction(asked("reset", None), "42")
    assert reset is not None
    assert (reset.text, reset.command) == ("/reset", "reset")
    direct = asked(user=USER)
    del direct["guild_id"], direct["member"]
    message = wire.parse_interaction(direct, "42")
    assert message is not None
    assert message.chat == ChatRef("600")
    assert wire.parse_interaction(asked(type=3), "42") is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"type": 2},
        asked(token="a/b"),
        asked(token=None),
        asked(id="../1"),
        asked(data=[]),
        asked(member={}),
    ],
)
def test_interactions_that_cannot_be_read(raw: Any) -> None:
    with pytest.raises(UnreadableUpdate) as caught:
        wire.parse_interaction(raw, "42")
    assert "SEEN" not in str(caught.value)


def test_what_is_sent_pings_nobody_and_has_a_nonce_of_its_own() -> None:
    message = OutboundMessage(
        "turn.1", ChatRef("600", ChatKind.GROUP), "**hi** @everyone", "e", {"message_id": "9"}
    )
    fields = wire.message_fields(message)
    assert fields["content"] == "**hi** @\u200beveryone"
    assert fields["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert fields["message_reference"] == {"message_id": "9", "fail_if_not_exists": False}
    assert fields["enforce_nonce"] is True
    nonces = {wire.nonce(f"turn.{number}") for number in range(500)}
    assert len(nonces) == 500
    assert {len(nonce) for nonce in nonces} == {24}
    assert fields["nonce"] == wire.nonce("turn.1")


def test_a_text_at_the_limit_stays_within_it() -> None:
    for text in ("*" * 2000, "_" * 2000, "🎉" * 1000, "@here " * 333, "| a |\n|-|\n" + "| b |\n" * 300):
        assert utf16_units(wire.content(text)) <= 2000


def test_ids_tell_the_time() -> None:
    assert wire.snowflake_ms(str(wire.snowflake_at(1_790_000_000_000))) == 1_790_000_000_000
    assert wire.snowflake_at(0) == 0
    assert wire.instant_ms("2026-09-21T14:13:20+00:00") == 1_790_000_000_000


def test_commands_are_compared_by_what_we_set() -> None:
    ask, reset = wire.COMMANDS[:2]
    there = {**ask, "id": "1", "options": [{**ask["options"][0], "x": 1}]}  # type: ignore[index]
    assert wire.same_command(there, ask)
    assert wire.same_command({**reset, "version": "1"}, reset)
    assert not wire.same_command({}, ask)
    assert not wire.same_command({**reset, "description": "old"}, reset)


def test_places_remember_threads_roles_and_what_was_said_last() -> None:
    places = Places("42")
    found = places.guild(
        {
            "id": "5000",
            "joined_at": "2026-01-01T00:00:00+00:00",
            "roles": [{"id": "77", "tags": {"bot_id": "42"}}, {"id": "78"}],
            "channels": [{"id": "600", "last_message_id": "11"}, {"id": "601"}],
            "threads": [
                {"id": "900", "member": {}, "last_message_id": "12"},
                {"id": "901", "last_message_id": None},
            ],
        }
    )
    since = wire.snowflake_at(wire.instant_ms("2026-01-01T00:00:00+00:00"))
    assert found == [Spoken("900", "5000", 12, since), Spoken("600", "5000", 11, since)]
    assert places.roles == {"77"}
    assert places.threads == {"900"}
    places.members({"id": "901", "added_members": [{"user_id": "42"}]})
    places.members({"id": "900", "removed_member_ids": ["42"]})
    places.thread_list(
        {"threads": [{"id": "902"}, {"id": "903", "owner_id": "42"}], "members": [{"id": "902"}]}
    )
    assert places.threads == {"901", "902", "903"}
    places.gone(["902"])
    assert places.threads == {"901", "903"}
    assert places.guild({"id": "5001", "unavailable": True}) == []


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "bot_token"),
        ({"bot_token": "no-token-SEEN"}, "bot_token"),
        ({"bot_token": "xxxx.GfAkE.SEEN"}, "bot_token"),
        ({"bot_token": TOKEN, "public_key": "SEEN"}, "public_key"),
        ({"bot_token": TOKEN, "application_id": "SEEN"}, "application_id"),
        ({"bot_token": TOKEN, "shards": 0}, "shards"),
        ({"bot_token": TOKEN, "mode": "SEEN"}, "mode"),
        ({"bot_token": TOKEN, "api_base_url": "https://SEEN:x@y"}, "api_base_url"),
        ({"bot_token": TOKEN, "tokn": "SEEN"}, "tokn"),
        ({"bot_token": TOKEN, "backfill_minutes": -1}, "backfill_minutes"),
    ],
)
def test_a_faulty_config_names_the_field_and_never_the_value(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(raw)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
    assert "SEEN" not in str(caught.value)


def test_interactions_need_the_key_that_they_are_signed_with() -> None:
    with pytest.raises(ValidationError, match="public_key"):
        Config.model_validate({"bot_token": TOKEN, "mode": "interactions"})


def test_a_good_config_hides_its_token_and_knows_its_bot() -> None:
    config = Config.model_validate(
        {"bot_token": f" Bot {TOKEN}", "application_id": 12345, "api_base_url": "http://a/b/"}
    )
    assert config.bot_token.get_secret_value() == TOKEN
    assert (config.account, config.application_id, config.api_base_url) == ("42", "12345", "http://a/b")
    assert "SEEN" not in f"{config!r} {config} {config.model_dump_json()}"
