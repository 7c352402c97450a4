"""Somebody at a browser, without the browser: signed in, reads pages, sends forms as a page of ours would."""

from collections.abc import Mapping
from dataclasses import dataclass

from runner.clock import SystemClock
from runner.web.auth import Scope, make_token
from tests.unit.web.dashboard.page_reader import Element, read
from tests.unit.web.web_stage import SECRET, Stage


@dataclass
class Seen:
    """An answer: its page, where it is one."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def page(self) -> Element:
        assert self.headers["Content-Type"] == "text/html; charset=utf-8", self.text
        return read(self.text)

    @property
    def words(self) -> str:
        return self.page.text()

    def field(self, name: str) -> str:
        """What stands in a field of a form."""
        found = [one for one in self.page.all("input", "textarea") if one.given.get("name") == name]
        return (found[0].given.get("value") or found[0].text()) if found else ""

    @property
    def notices(self) -> list[str]:
        kinds = ("notice done", "notice warning", "notice error")
        return [one.text() for one in self.page.all("div") if one.given.get("class") in kinds]


class Person:
    """Signed in at a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.csrf = ""

    async def sign_in(self, scope: Scope = "admin") -> "Person":
        token = make_token(SECRET, scope, 36_500, SystemClock().now_ms() // 1000)
        home = {"Origin": self.stage.url}
        async with self.stage.http.post("/login", data={"token": token}, headers=home) as response:
            assert response.status == 200
            page = read(await response.text())
        self.csrf = next(
            one.given["value"] or "" for one in page.all("input") if one.given.get("name") == "csrf"
        )
        return self

    async def look(self, path: str, **headers: str) -> Seen:
        async with self.stage.http.get(path, headers=headers, allow_redirects=False) as response:
            return Seen(response.status, await response.text(), response.headers)

    async def send(self, path: str, headers: Mapping[str, str] | None = None, **fields: str) -> Seen:
        """A form; whatever is told otherwise is as our page sends it."""
        told = {"Origin": self.stage.url} if headers is None else headers
        data = {"csrf": self.csrf, **fields}
        async with self.stage.http.post(path, data=data, headers=told, allow_redirects=False) as response:
            return Seen(response.status, await response.text(), response.headers)

    async def follow(self, seen: Seen) -> Seen:
        """The page that an answer leads to."""
        assert seen.status == 303, (seen.status, seen.text[:2000])
        return await self.look(seen.headers["Location"])
