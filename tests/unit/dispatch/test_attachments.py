"""What came with a message, in a shape that its model can take."""

import base64

import pytest

from adapters.contract import Capabilities, Fetched
from adapters.messages import Attachment, AttachmentKind
from adapters.testing.fake import FakeAdapter
from runner.conversations.models import Picture, UserMessage, message_from_json, message_to_json
from runner.dispatch.attachments import ALONE, MAX_ATTACHMENTS, MAX_TEXT_CHARS, Perceived, perceive
from runner.testing.scenes import a_message

PHOTO = Attachment(AttachmentKind.IMAGE, "p1", "image/jpeg", "photo.jpg", 3)
NOTES = Attachment(AttachmentKind.DOCUMENT, "d1", "text/plain", "notes.txt", 5)
SHEET = Attachment(AttachmentKind.DOCUMENT, "d2", "application/pdf", "sheet.pdf", 5)
VOICE = Attachment(AttachmentKind.AUDIO, "a1", "audio/ogg")


@pytest.fixture
def adapter() -> FakeAdapter:
    fake = FakeAdapter(Capabilities(fetches=True))
    fake.files = {
        "p1": Fetched(b"\xff\xd8\xff", "image/jpeg"),
        "d1": Fetched(b"milk, eggs", "text/plain"),
        "d2": Fetched(b"%PDF-1.7", "application/pdf"),
    }
    return fake


async def see(
    adapter: FakeAdapter, *attachments: Attachment, text: str = "look", sees: bool = True
) -> Perceived:
    message = a_message(text, attachments=attachments)
    return await perceive(message, adapter, wanted=True, sees=sees)


async def test_a_picture_reaches_a_model_that_sees(adapter: FakeAdapter) -> None:
    seen = await see(adapter, PHOTO)
    assert seen == Perceived("look", (Picture("image/jpeg", base64.b64encode(b"\xff\xd8\xff").decode()),))


async def test_a_picture_alone_is_enough(adapter: FakeAdapter) -> None:
    seen = await see(adapter, PHOTO, text="")
    assert (seen.text, len(seen.pictures), seen.refusal) == ("", 1, None)


async def test_a_model_that_does_not_see_is_told(adapter: FakeAdapter) -> None:
    seen = await see(adapter, PHOTO, sees=False)
    assert seen == Perceived("look\n\n[The user sent a picture (photo.jpg), which you cannot open.]")


async def test_a_text_file_is_part_of_the_message(adapter: FakeAdapter) -> None:
    assert (await see(adapter, NOTES)).text == "look\n\n[File notes.txt]\nmilk, eggs"


async def test_a_long_file_is_cut_and_says_so(adapter: FakeAdapter) -> None:
    adapter.files["d1"] = Fetched(b"x" * (MAX_TEXT_CHARS + 9), "text/plain")
    text = (await see(adapter, NOTES)).text
    assert text.endswith(f"[cut: {MAX_TEXT_CHARS + 9} characters in all]")
    assert len(text) < MAX_TEXT_CHARS + 100


@pytest.mark.parametrize("alone", [SHEET, VOICE])
async def test_what_nobody_can_open_is_answered_without_a_model(
    adapter: FakeAdapter, alone: Attachment
) -> None:
    seen = await see(adapter, alone, text="")
    assert seen.refusal == ALONE[alone.kind]
    assert (await see(adapter, alone, text="listen")).refusal is None


async def test_a_file_that_is_gone_is_named_with_the_reason(adapter: FakeAdapter) -> None:
    adapter.files.clear()
    seen = await see(adapter, NOTES)
    assert "[The user sent a file (notes.txt), which could not be loaded: it is gone.]" in seen.text


async def test_text_that_is_none_and_too_many_files(adapter: FakeAdapter) -> None:
    adapter.files["d1"] = Fetched(b"\xff\xfe\x00", "text/plain")
    assert "cannot open" in (await see(adapter, NOTES)).text
    assert len((await see(adapter, *[PHOTO] * (MAX_ATTACHMENTS + 2))).pictures) == MAX_ATTACHMENTS


async def test_a_bot_that_takes_none(adapter: FakeAdapter) -> None:
    message = a_message("", attachments=(PHOTO,))
    seen = await perceive(message, adapter, wanted=False, sees=True)
    assert seen.refusal == ALONE[AttachmentKind.IMAGE]


def test_a_picture_is_remembered_by_name_only() -> None:
    said = UserMessage("look", pictures=(Picture("image/png", "AAAA"),))
    assert message_from_json(message_to_json(said)) == UserMessage("look\n[The user sent a picture.]")
