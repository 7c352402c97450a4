"""The chat page: for this machine, with a policy that lets nothing foreign in."""

from html.parser import HTMLParser

import pytest

from runner.bots import Channel
from runner.testing.scenes import a_bot
from tests.unit.web.web_stage import CUSTOM, Stage

FILES = {
    "/": "text/html",
    "/chat": "text/html",
    "/static/chat.css": "text/css",
    "/static/chat.js": "text/javascript",
}


class _Sources(HTMLParser):
    """What a page loads, and the scripts and styles that stand in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        for name, value in attrs:
            if name in {"src", "href"}:
                self.loads.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        if self._open in {"script", "style"} and data.strip():
            self.inline.append(data)


@pytest.mark.parametrize("path", FILES)
async def test_each_file_has_headers_that_keep_others_out(path: str) -> None:
    async with Stage() as stage:
        status, text, headers = await stage.ask("GET", path)
        assert status == 200
        assert text
        assert headers["Content-Type"] == f"{FILES[path]}; charset=utf-8"
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"


async def test_nothing_on_the_page_is_from_elsewhere_or_stands_in_it() -> None:
    async with Stage() as stage:
        sources = _Sources()
        sources.feed((await stage.ask("GET", "/"))[1])
        assert sources.inline == []
        assert {source for source in sources.loads if not source.startswith("data:")} == (
            set(FILES) - {"/", "/chat"} | {"/login"}
        )
        for path in FILES:
            assert "http://" not in (text := (await stage.ask("GET", path))[1])
            assert "https://" not in text
            assert "innerHTML" not in text
            assert "eval(" not in text


@pytest.mark.parametrize(
    "headers", [{"Host": "rebound.example"}, {"x-forwarded-for": "10.0.0.1"}, {"Host": "192.168.1.2:8080"}]
)
async def test_from_elsewhere_there_is_no_page_and_no_list_of_bots(headers: dict[str, str]) -> None:
    async with Stage() as stage:
        for path in ("/chat", "/chat/bots"):
            status, body, _ = await stage.ask("GET", path, headers=headers)
            assert (status, body["error"]["code"]) == (403, "loopback_only")
        async with stage.http.get("/", headers=headers, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static/nothing.js", "/static/..%2fpage.py", "/static/%2e%2e/page.py", "/static/chat.js/"],
)
async def test_no_other_file_is_given_out(path: str) -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("GET", path)
        assert (status, body["error"]["code"]) == (404, "not_found")


async def test_only_bots_that_can_be_talked_to_here_are_listed() -> None:
    polled = a_bot("poller", channels=(Channel("polled", "polled", None),))
    async with Stage((*Stage().bots, polled)) as stage:
        assert (await stage.ask("GET", "/chat/bots"))[:2] == (200, [{"id": "shop", "name": "Shop"}])
    async with Stage((a_bot("both", channels=(*polled.channels, CUSTOM)),)) as stage:
        assert [bot["id"] for bot in (await stage.ask("GET", "/chat/bots"))[1]] == ["both"]
