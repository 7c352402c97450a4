"""Attachments: loaded, bounded, and told of in words that hold no token."""

import pytest

from adapters.contract import Fetched, NotFetched
from adapters.messages import Attachment, AttachmentKind
from adapters.telegram.files import media_type
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.telegram_bench import HASTY, TOKEN, Bot, bot

pytestmark = pytest.mark.faults
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200_000)


def file(reference: str = "f1", media: str | None = None, size: int | None = None) -> Attachment:
    return Attachment(AttachmentKind.DOCUMENT, reference, media, size_bytes=size)


def has(one: Bot, data: bytes = PNG, path: str = "photos/file 1 #ä?.png") -> Bot:
    one.account.files["f1"] = (path, data)
    return one


@pytest.mark.parametrize("most", [len(PNG), len(PNG) + 1, 10**9])
async def test_a_file_is_loaded(most: int) -> None:
    async with bot(running=False) as one:
        has(one)
        assert await one.adapter.fetch(file(), most) == Fetched(PNG, "image/png")


async def test_what_is_too_large_is_not_loaded() -> None:
    async with bot(running=False) as one:
        has(one)
        assert await one.adapter.fetch(file(size=11), 10) == NotFetched("it is too large")
        assert one.account.calls == {}
        assert await one.adapter.fetch(file(), 10) == NotFetched("it is too large")
        assert one.account.calls == {"getFile": 1}


async def test_a_file_that_is_larger_than_it_says_is_left_in_the_middle() -> None:
    async with bot(running=False) as one:
        has(one)
        said = (
            '{"ok": true, "result": {"file_id": "f1", "file_size": 3, "file_path": "photos/file 1 #ä?.png"}}'
        )
        one.account.fail("getFile", Fault(FaultKind.ANSWER, 200, said))
        assert await one.adapter.fetch(file(), 1000) == NotFetched("it is too large")
        assert one.account.calls["download"] == 1


async def test_telegrams_own_limit_is_a_size_too() -> None:
    async with bot(running=False) as one:
        said = '{"ok": false, "description": "Bad Request: file is too big"}'
        one.account.fail("getFile", Fault(FaultKind.ANSWER, 400, said))
        assert await one.adapter.fetch(file(), 10**9) == NotFetched("it is too large")


@pytest.mark.parametrize(
    ("method", "fault", "why"),
    [
        ("getFile", Fault(FaultKind.DROP_BEFORE), "could not be reached"),
        ("getFile", Fault(FaultKind.ANSWER, 429, "{}"), "could not be reached"),
        ("getFile", Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": []}'), "does not say"),
        ("getFile", Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": {"file_path": 5}}'), "does not say"),
        (
            "getFile",
            Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": {"file_path": "/var/x"}}'),
            "own disk",
        ),
        ("download", Fault(FaultKind.DROP_BEFORE), "could not be reached"),
        ("download", Fault(FaultKind.DROP_AFTER), "could not be reached"),
        ("download", Fault(FaultKind.HANG), "could not be reached"),
        ("download", Fault(FaultKind.ANSWER, 404, f"/file/bot{TOKEN}/x"), "could not be reached"),
        ("download", Fault(FaultKind.ANSWER, 302, ""), "could not be reached"),
    ],
)
async def test_what_goes_wrong_is_told_without_addresses(method: str, fault: Fault, why: str) -> None:
    async with bot(patience=HASTY, running=False) as one:
        has(one)
        one.account.fail(method, fault, times=2)  # a GET on a connection that was idle is tried once more
        result = await one.adapter.fetch(file(), 10**9)
        assert isinstance(result, NotFetched)
        assert why in result.why
        assert TOKEN not in result.why


async def test_what_is_gone_and_what_is_no_file() -> None:
    async with bot(running=False) as one:
        assert await one.adapter.fetch(file("gone"), 10) == NotFetched("Telegram does not have it any more")
        assert await one.adapter.fetch(file(""), 10) == NotFetched("it is no file")
    async with bot(running=False, up=False) as one:
        assert await one.adapter.fetch(file(), 10) == NotFetched("Telegram could not be reached")


@pytest.mark.parametrize(
    ("data", "told", "media"),
    [
        (b"\xff\xd8\xff\xe0", "image/png", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", None, "image/png"),
        (b"GIF89a", None, "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8", None, "image/webp"),
        (b"RIFF\0\0\0\0WAVE", None, "application/octet-stream"),
        (b"hello", "text/plain", "text/plain"),
        (b"", None, "application/octet-stream"),
    ],
)
def test_what_a_file_is(data: bytes, told: str | None, media: str) -> None:
    assert media_type(data, told) == media
