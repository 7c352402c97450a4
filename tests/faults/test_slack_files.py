"""Attachments of Slack: loaded, bounded, and the token shown to nobody but Slack."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from adapters.contract import Fetched, NotFetched
from adapters.messages import Attachment, AttachmentKind
from adapters.slack.files import is_login, may_see_token
from adapters.testing.slack_files import LOGIN_PAGE, File
from adapters.testing.slack_state import Fault, FaultKind
from tests.faults.slack_bench import HASTY, TOKEN, Bot, bot

pytestmark = pytest.mark.faults
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
NO_SCOPE = NotFetched("Slack does not give it to this app: it needs the scope files:read")
GONE = NotFetched("Slack does not have it any more")
AWAY = NotFetched("Slack could not be reached")


def file(reference: str = "F1", size: int | None = None) -> Attachment:
    return Attachment(AttachmentKind.IMAGE, reference, "image/png", size_bytes=size)


def has(one: Bot, data: bytes = PNG, media: str = "image/png", **more: object) -> None:
    one.account.files["F1"] = File("a picture #ä?.png", data, media, more)


def sent_to(address: str, status: int = 302) -> Fault:
    return Fault(FaultKind.ANSWER, status, headers={"Location": address})


@pytest.mark.parametrize("most", [len(PNG), len(PNG) + 1, 10**9])
async def test_a_file_is_loaded(most: int) -> None:
    async with bot(running=False) as one:
        has(one)
        assert await one.adapter.fetch(file(), most) == Fetched(PNG, "image/png")


async def test_a_file_that_came_with_a_message_is_loaded() -> None:
    async with bot() as one:
        has(one)
        raw = {"id": "F1", "name": "p.png", "mimetype": "image/png", "size": len(PNG)}
        one.account.say("look", subtype="file_share", files=[raw])
        await one.hears("look")
        (attachment,) = one.delivered[0].attachments
        assert await one.adapter.fetch(attachment, 10**6) == Fetched(PNG, "image/png")
        await one.drained()


async def test_what_is_too_large_is_not_loaded() -> None:
    async with bot(running=False) as one:
        has(one)
        assert await one.adapter.fetch(file(size=11), 10) == NotFetched("it is too large")
        assert one.account.calls == {}
        assert await one.adapter.fetch(file(), 10) == NotFetched("it is too large")
        assert one.account.calls == {"files.info": 1}


async def test_a_file_that_is_larger_than_it_says_is_left_in_the_middle() -> None:
    async with bot(running=False) as one:
        has(one, size=3)
        assert await one.adapter.fetch(file(), 1000) == NotFetched("it is too large")
        assert one.account.calls["download"] == 1


@pytest.mark.parametrize(
    ("method", "fault", "why"),
    [
        ("files.info", Fault(FaultKind.DROP_BEFORE), AWAY),
        ("files.info", Fault(FaultKind.ANSWER, 429, "{}"), AWAY),
        (
            "files.info",
            Fault(FaultKind.ANSWER, 200, '{"ok": true}'),
            NotFetched("Slack does not say where it is"),
        ),
        ("files.info", Fault(FaultKind.ERROR, body="file_deleted"), GONE),
        ("download", Fault(FaultKind.DROP_BEFORE), AWAY),
        ("download", Fault(FaultKind.HANG), AWAY),
        ("download", Fault(FaultKind.ANSWER, 404, f"<p>{TOKEN}</p>"), AWAY),
        ("download", Fault(FaultKind.ANSWER, 200, LOGIN_PAGE), NO_SCOPE),
        ("download", sent_to("https://slack.com.example.org/x"), NO_SCOPE),
        ("download", sent_to("//fake.slack.example/?redir=%2Ffiles-pri"), NO_SCOPE),
        ("download", sent_to("ftp://127.0.0.1/x"), NO_SCOPE),
        ("download", sent_to(""), NO_SCOPE),
    ],
)
async def test_what_goes_wrong_is_told_without_addresses(method: str, fault: Fault, why: NotFetched) -> None:
    async with bot(patience=HASTY, running=False) as one:
        has(one)
        one.account.fail(method, fault, times=2)  # a GET on a connection that was idle is tried once more
        assert await one.adapter.fetch(file(), 10**9) == why
        assert TOKEN not in why.why
        assert "http" not in why.why


async def test_without_the_scope_a_page_to_log_in_is_no_file() -> None:
    async with bot(running=False) as one:
        has(one)
        one.account.missing_scopes["download"] = "files:read"
        assert await one.adapter.fetch(file(), 10**9) == NO_SCOPE
        one.account.missing_scopes["files.info"] = "files:read"
        assert await one.adapter.fetch(file(), 10**9) == NO_SCOPE
        assert one.account.calls["download"] == 1


async def test_a_page_that_somebody_uploaded_is_a_file() -> None:
    async with bot(running=False) as one:
        page = b"<!doctype html><p>my page</p>"
        has(one, page, "text/html")
        assert await one.adapter.fetch(file(), 1000) == Fetched(page, "text/html")


@pytest.mark.parametrize(
    ("data", "media", "size", "login"),
    [
        (b"\n <HTML lang=en>", "image/png", 500, True),
        (b"anything", "text/html", None, True),
        (b"<html>", "text/html", 6, False),
        (b"\x89PNG", "image/png", None, False),
        (b"", "text/plain", 0, False),
    ],
)
def test_what_a_page_to_log_in_is(data: bytes, media: str, size: int | None, login: object) -> None:
    assert is_login(data, media, size) is login


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_on_its_own_host_a_redirect_is_followed(status: int) -> None:
    async with bot(running=False) as one:
        has(one)
        one.account.files["F2"] = File("b", b"moved", "text/plain")
        one.account.fail("download", sent_to("/files-pri/F2/download/b", status))
        fetched = await one.adapter.fetch(file(), 1000_000)
        assert isinstance(fetched, Fetched)
        assert fetched.data == b"moved"


async def test_redirects_come_to_an_end() -> None:
    async with bot(running=False) as one:
        has(one)
        one.account.fail("download", sent_to("/files-pri/F1/download/again"), times=50)
        assert await one.adapter.fetch(file(), 10**6) == NO_SCOPE
        assert one.account.calls["download"] <= 4


async def test_the_token_is_shown_to_no_other_host() -> None:
    seen = asyncio.Queue[str]()

    async def thief(request: web.Request) -> web.Response:
        seen.put_nowait(request.headers.get("Authorization", ""))
        return web.Response(body=PNG, content_type="image/png")

    app = web.Application()
    app.router.add_get("/{path:.*}", thief)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with bot(running=False) as one:
            has(one, url_private_download=f"http://127.0.0.1:{port}/x")
            assert await one.adapter.fetch(file(), 10**6) == NotFetched("it is kept outside of Slack")
            has(one)
            one.account.fail("download", sent_to(f"http://127.0.0.1:{port}/x"))
            assert await one.adapter.fetch(file(), 10**6) == NO_SCOPE
    finally:
        await runner.cleanup()
    assert seen.empty()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"is_external": True}, NotFetched("it is kept outside of Slack")),
        ({"mode": "tombstone"}, GONE),
        ({"url_private_download": "", "url_private": None}, NotFetched("Slack does not say where it is")),
        ({"url_private_download": 5}, NotFetched("Slack does not say where it is")),
        ({"url_private_download": "http://[::1"}, NotFetched("Slack does not say where it is")),
        ({"url_private_download": "https://u:p@slack.com/x"}, NotFetched("Slack does not say where it is")),
    ],
)
async def test_what_slack_does_not_have_itself(more: dict[str, Any], why: NotFetched) -> None:
    async with bot(running=False) as one:
        has(one, **more)
        assert await one.adapter.fetch(file(), 10**6) == why
        assert one.account.calls["download"] == 0


async def test_what_is_gone_and_what_is_no_file() -> None:
    async with bot(running=False) as one:
        assert await one.adapter.fetch(file("gone"), 10) == GONE
        assert await one.adapter.fetch(file(""), 10) == NotFetched("it is no file")
    async with bot(running=False, up=False) as one:
        assert await one.adapter.fetch(file(), 10) == AWAY


@pytest.mark.parametrize(
    ("address", "base", "may"),
    [
        ("https://files.slack.com/files-pri/T-F/x", "https://slack.com/api/", True),
        ("https://files.slack.com/x", "https://proxy.example/api/", True),
        ("https://proxy.example/x", "https://proxy.example/api/", True),
        ("https://files.slack-gov.com/x", "https://slack-gov.com/api/", True),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80/api/", True),
        ("http://127.0.0.1:81/x", "http://127.0.0.1:80/api/", False),
        ("http://files.slack.com/x", "https://slack.com/api/", False),
        ("https://files.slack.com:444/x", "https://slack.com/api/", False),
        ("https://notslack.com/x", "https://slack.com/api/", False),
        ("https://slack.com.example.org/x", "https://slack.com/api/", False),
        ("https://docs.example.org/x", "https://slack.com/api/", False),
    ],
)
def test_who_may_see_the_token(address: str, base: str, may: object) -> None:
    assert may_see_token(URL(address), URL(base)) is may
