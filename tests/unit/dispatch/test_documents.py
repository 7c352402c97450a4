"""PDFs that strangers send, opened at arm's length."""

import asyncio
import io

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from adapters.contract import Capabilities, Fetched
from adapters.messages import Attachment, AttachmentKind
from adapters.testing.fake import FakeAdapter
from runner.dispatch import documents
from runner.dispatch.attachments import MAX_TEXT_CHARS, perceive
from runner.dispatch.documents import Documents
from runner.testing.scenes import a_message
from tests.unit.agent.meter_world import a_world
from tests.unit.dispatch.test_attachments import an_ear

SHEET = Attachment(AttachmentKind.DOCUMENT, "d1", "application/pdf", "sheet.pdf")


def a_pdf(*pages: str) -> bytes:
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(600, 800)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


async def test_the_text_of_all_pages() -> None:
    assert await Documents().text_of_pdf(a_pdf("milk", "eggs")) == "milk\n\neggs"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"no pdf", a_pdf("x")[:200], a_pdf("")])
async def test_what_has_no_text_is_none(data: bytes) -> None:
    assert await Documents().text_of_pdf(data) is None


async def test_a_reader_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PATIENCE_S", 0.0)
    async with asyncio.timeout(5):
        assert await Documents().text_of_pdf(a_pdf("milk")) is None


async def test_it_is_part_of_the_message_and_cut_where_it_is_long() -> None:
    adapter = FakeAdapter(Capabilities(fetches=True))
    message = a_message("look", attachments=(SHEET,))
    async with a_world() as world:

        async def see(file: bytes) -> str:
            adapter.files = {"d1": Fetched(file, "application/pdf")}
            ear = an_ear(world, None)
            seen = await perceive(message, adapter, wanted=True, sees=True, ear=ear, documents=Documents())
            return seen.text

        assert await see(a_pdf("milk and eggs")) == "look\n\n[File sheet.pdf]\nmilk and eggs"
        text = await see(a_pdf(*["word " * 2000] * 10))
    assert text.endswith("[cut: there is more]")
    assert len(text) < MAX_TEXT_CHARS + 100
