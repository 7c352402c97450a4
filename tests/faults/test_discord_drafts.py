"""Answers that grow, and attachments: nothing is doubled by a draft, and nothing is loaded that is not asked for."""

from dataclasses import replace

import pytest

from adapters.contract import ConnectionState, Fetched, NotFetched
from adapters.discord.adapter import DiscordAdapter
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    FateUnknown,
    OutboundMessage,
    Sent,
)
from adapters.testing.discord_parts import Fault, FaultKind
from tests.faults.discord_bench import HASTY, Bot, bot

pytestmark = pytest.mark.faults
POST = "POST /channels/{id}/messages"
CHANGE = "PATCH /channels/{id}/messages/{id}"
NUMBER = "1551622331518943235"
IMAGE = Attachment(AttachmentKind.IMAGE, f"700/{NUMBER}/9", "image/png", "a.png", 4)


def answer(text: str, key: str = "t.1", **details: object) -> OutboundMessage:
    return OutboundMessage(key, ChatRef("700", ChatKind.GROUP), text, "e", details)


def texts(one: Bot) -> list[str]:
    return [sent.text for sent in one.application.sent]


async def test_an_answer_grows_in_its_message() -> None:
    async with bot(running=False) as one:
        for text in ("one", "one two", "one two three"):
            await one.adapter.draft(answer(text))
            assert texts(one) == [text]
        sent = await one.adapter.send(answer("one two three four"))
        assert sent == Sent(one.application.sent[0].id)
        assert texts(one) == ["one two three four"]
        assert isinstance(await one.adapter.send(answer("another", "t.2")), Sent)
        assert texts(one) == ["one two three four", "another"]
        assert one.application.calls[POST] == 2


async def test_a_draft_that_fails_is_no_news_and_is_not_doubled() -> None:
    async with bot(patience=HASTY, running=False) as one:
        for fault in (FaultKind.DROP_AFTER, FaultKind.HANG):
            one.application.fail(POST, Fault(fault))
            await one.adapter.draft(answer("one"))
        await one.adapter.draft(answer("one two"))
        one.application.fail(CHANGE, Fault(FaultKind.ANSWER, 500, "{}"), 2)
        await one.adapter.draft(answer("one two three"))
        assert isinstance(await one.adapter.send(answer("whole")), FateUnknown)
        assert isinstance(await one.adapter.send(answer("whole")), Sent)
        assert texts(one) == ["whole"]


async def test_a_draft_of_before_a_restart_becomes_the_answer() -> None:
    async with bot(running=False) as one:
        await one.adapter.draft(answer("one"))
        message = one.application.channels["700"][-1]
        message["id"] = one.application.snowflake(ago_ms=10_000)
        one.application.sent[0] = replace(one.application.sent[0], id=message["id"])
        restarted = DiscordAdapter(one.adapter._parts.config, one.adapter._parts.shared)
        assert await restarted.send(answer("whole")) == Sent(message["id"])
        assert texts(one) == ["whole"]


async def test_a_commands_answer_grows_in_its_placeholder() -> None:
    async with bot() as one:
        await one.reaches(ConnectionState.UP)
        asked = one.application.ask("ask", "how?")
        await one.until(lambda: asked.answer is not None)
        details = dict(one.delivered[0].details)
        await one.adapter._parts.outgoing.asked(asked.id).wait()
        for text in ("one", "one two"):
            await one.adapter.draft(answer(text, **details))
            assert texts(one) == [text]
        await one.adapter.draft(answer("of another part", "t.2", **details))
        assert isinstance(await one.adapter.send(answer("one two three", **details)), Sent)
        assert texts(one) == ["one two three"]
        assert one.application.sent[0].way == "placeholder"


def with_file(one: Bot, url: str) -> None:
    author = {"id": "7", "username": "ada"}
    message = {"id": NUMBER, "channel_id": "700", "author": author, "attachments": [{"id": "9", "url": url}]}
    one.application.channels["700"] = [message]
    one.application.files["a.png"] = b"\x89PNG"


async def test_an_attachment_is_fetched_by_its_fresh_address_and_without_our_token() -> None:
    async with bot(running=False) as one:
        with_file(one, f"{one.server.url}/files/4242/a.png")
        assert await one.adapter.fetch(IMAGE, 100) == Fetched(b"\x89PNG", "image/png")


@pytest.mark.parametrize(
    ("attachment", "max_bytes", "why"),
    [
        (IMAGE, 3, "it is too large"),
        (Attachment(AttachmentKind.IMAGE, f"700/{NUMBER}/9"), 3, "it is too large"),
        (Attachment(AttachmentKind.IMAGE, f"700/{NUMBER}/8"), 9, "Discord does not have it any more"),
        (Attachment(AttachmentKind.IMAGE, "700/1/9"), 9, "Discord does not have it any more"),
        (Attachment(AttachmentKind.OTHER, ""), 9, "it is no file"),
        (Attachment(AttachmentKind.OTHER, "../users/@me"), 9, "it is no file"),
    ],
    ids=lambda value: str(value)[-24:],
)
async def test_why_an_attachment_is_not_had(attachment: Attachment, max_bytes: int, why: str) -> None:
    async with bot(running=False) as one:
        with_file(one, f"{one.server.url}/files/4242/a.png")
        assert await one.adapter.fetch(attachment, max_bytes) == NotFetched(why)


async def test_only_discords_own_servers_are_asked() -> None:
    async with bot(running=False) as one:
        for url in (
            "http://169.254.169.254/latest",
            "http://cdn.discordapp.com/a",
            "https://cdn.discordapp.com.evil/a",
        ):
            with_file(one, url)
            assert await one.adapter.fetch(IMAGE, 100) == NotFetched("it is kept outside of Discord")
        with_file(one, f"{one.server.url}/files/4242/gone.png")
        assert await one.adapter.fetch(IMAGE, 100) == NotFetched("Discord does not have it any more")
        await one.server.stop()
        assert await one.adapter.fetch(IMAGE, 100) == NotFetched("Discord could not be reached")
