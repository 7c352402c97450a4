"""Files that users sent on WhatsApp: fetched as they are, or not at all and with a reason."""

import pytest

from adapters.contract import Fetched, NotFetched
from adapters.errors import Unreachable
from adapters.messages import Attachment, AttachmentKind
from adapters.testing.telegram_state import Fault, FaultKind
from adapters.whatsapp.client import Client
from tests.faults.whatsapp_bench import HASTY, TOKEN, bot

pytestmark = pytest.mark.faults
PICTURE = bytes(range(256)) * 400


def attachment(reference: str = "77") -> Attachment:
    return Attachment(AttachmentKind.IMAGE, reference, media_type="image/jpeg")


async def test_a_picture_that_was_sent_is_fetched() -> None:
    async with bot(running=False) as one:
        one.number.media["77"] = ("image/png", PICTURE)
        raw = one.webhook("ignored")
        message = raw["entry"][0]["changes"][0]["value"]["messages"][0]
        del message["text"]
        message |= {
            "type": "image",
            "image": {"id": "77", "mime_type": "image/png", "caption": "what is it?"},
        }
        await one.post(raw)
        (delivered,) = one.delivered
        assert delivered.text == "what is it?"
        got = await one.adapter.fetch(delivered.attachments[0], len(PICTURE))
        assert got == Fetched(PICTURE, "image/png")


async def test_what_is_too_large_is_not_even_asked_for() -> None:
    async with bot(running=False) as one:
        one.number.media["77"] = ("image/png", PICTURE)
        assert await one.adapter.fetch(attachment(), len(PICTURE) - 1) == NotFetched("it is too large")
        assert one.number.calls["download"] == 0


async def test_more_than_was_said_is_cut_off() -> None:
    async with bot(running=False) as one:
        one.number.media["77"] = ("image/png", PICTURE)
        said = f'{{"url": "{one.server.url}/media/77", "mime_type": "image/png", "file_size": 1}}'
        one.number.fail("media", Fault(FaultKind.ANSWER, 200, said))
        assert await one.adapter.fetch(attachment(), 1000) == NotFetched("it is too large")


@pytest.mark.parametrize(
    ("call", "fault", "why"),
    [
        ("media", Fault(FaultKind.DROP_BEFORE), "the connection broke"),
        ("media", Fault(FaultKind.ANSWER, 200, "{}"), "does not say where"),
        ("media", Fault(FaultKind.ANSWER, 200, '{"url": "https://evil.example/x"}'), "not Meta's"),
        ("media", Fault(FaultKind.ANSWER, 200, '{"url": "http://x.fbsbx.com/x"}'), "not Meta's"),
        ("media", Fault(FaultKind.ANSWER, 200, '{"url": "https://evilfbsbx.com/x"}'), "not Meta's"),
        ("media", Fault(FaultKind.ANSWER, 200, '{"url": "https://[/x"}'), "not Meta's"),
        ("download", Fault(FaultKind.ANSWER, 404, ""), "Meta answered 404"),
        ("download", Fault(FaultKind.HANG), "no answer within"),
    ],
)
async def test_what_cannot_be_had_has_a_reason(call: str, fault: Fault, why: str) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.number.media["77"] = ("image/png", PICTURE)
        one.number.fail(call, fault, times=2)  # a GET whose connection broke is asked once more by itself
        got = await one.adapter.fetch(attachment(), 10**6)
        assert isinstance(got, NotFetched)
        assert why in got.why
        assert TOKEN not in got.why


@pytest.mark.parametrize("reference", ["", "../me", "7?x=1"])
async def test_what_is_no_file_is_not_asked_for(reference: str) -> None:
    async with bot(running=False) as one:
        got = await one.adapter.fetch(attachment(reference), 10**6)
        assert got == NotFetched("there is no file to it")
        assert one.number.calls["media"] == 0


async def test_a_file_that_is_gone() -> None:
    async with bot(running=False) as one:
        got = await one.adapter.fetch(attachment(), 10**6)
        assert isinstance(got, NotFetched)
        assert "does not exist" in got.why


async def test_the_token_is_not_sent_elsewhere() -> None:
    async with bot(running=False) as one:
        client: Client = one.adapter._client
        assert client._is_metas("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")
        with pytest.raises(Unreachable):
            await client.download("https://lookaside.fbsbx.com.example/x", 10)
