"""The document says what the server does: whatever is made of it, nothing breaks and nothing undocumented comes."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from runner.ports.observer import Fault
from tests.unit.web.file_stage import FILE, FileStage, staged
from tests.unit.web.web_stage import bearer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SPARE = "  spare: {name: Spare, platform: custom, system_prompt: x}\n"
CONTROL = settings(
    max_examples=4,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def drive(here: FileStage, document: Any, mode: GenerationMode, bot: str | None) -> set[tuple[str, int]]:
    """Ask what the document allows, or what it does not, and check what comes; which calls got which status."""
    seen: set[tuple[str, int]] = set()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        asked = partial(_ask, here, bot, seen)
        operation: Any = found.ok()  # type: ignore[union-attr]  # a fault of the document is a fault here
        strategy = operation.as_strategy(generation_mode=mode)
        with suppress(Unsatisfiable):  # there is nothing that this call's declaration forbids
            CONTROL(given(case=strategy)(_one(asked)))()
    return seen


def _one(asked: Callable[[Any], None]) -> Callable[[Any], None]:
    def ask(case: Any) -> None:
        asked(case)

    return ask


def _ask(here: FileStage, bot: str | None, seen: set[tuple[str, int]], case: Any) -> None:
    here.stage.clock.advance(60)
    if bot is not None and "bot_id" in case.path_parameters:
        case.path_parameters["bot_id"] = "spare" if case.method == "DELETE" else bot
    response = case.call(base_url=here.stage.url, headers=bearer(), timeout=60)
    seen.add((case.operation.label, response.status_code))
    case.validate_response(response, checks=CHECKS)


async def document_of(here: FileStage) -> Any:
    status, document, _ = await here.stage.ask("GET", "/api/openapi.json")
    assert status == 200
    return document


@pytest.mark.parametrize(
    ("mode", "bot"), [(GenerationMode.POSITIVE, "shop"), (GenerationMode.NEGATIVE, None)]
)
async def test_nothing_breaks_and_nothing_undocumented_comes(
    tmp_path: Path, mode: GenerationMode, bot: str | None
) -> None:
    async with staged(tmp_path, FILE + SPARE) as here:
        seen = await asyncio.to_thread(drive, here, await document_of(here), mode, bot)
        assert not here.stage.observer.of(Fault)
        if mode is GenerationMode.POSITIVE:
            assert {status for _, status in seen} >= {200, 204, 400}
        else:
            assert {status for _, status in seen} >= {400, 404}
        assert len({label for label, _ in seen}) >= 8


async def test_good_answers_are_as_documented(tmp_path: Path) -> None:
    bot: dict[str, Any] = {"name": "New", "platform": "custom", "system_prompt": "x", "workspace_id": "made"}
    bot |= {"tools": [{"name": "t", "description": "d", "url": "https://x.example/"}]}
    async with staged(tmp_path) as here:
        document = await document_of(here)
        for method, path, asked, place, expected in (
            ("POST", "/api/bots", bot, "/api/bots", 201),
            ("PATCH", "/api/bots/new", {"rate_limit_per_minute": None}, "/api/bots/{bot_id}", 200),
            ("GET", "/api/bots/new", None, "/api/bots/{bot_id}", 200),
            ("POST", "/api/bots/new/test", {"message": "hi"}, "/api/bots/{bot_id}/test", 200),
            ("POST", "/api/bots/new/deactivate", None, "/api/bots/{bot_id}/deactivate", 200),
            ("GET", "/api/bots", None, "/api/bots", 200),
            ("GET", "/api/status", None, "/api/status", 200),
        ):
            status, said = await here.ask(method, path, asked)
            assert status == expected, said
            answer = document["paths"][place][method.lower()]["responses"][str(expected)]
            schema = answer["content"]["application/json"]["schema"]
            jsonschema.Draft202012Validator({**document, **schema}).validate(said)


async def test_the_document_names_every_route_and_what_it_names_is_there(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        document = await document_of(here)
        assert document["openapi"] == "3.1.0"
        text = json.dumps(document)
        for reference in set(text.split('"$ref": "')[1:]):
            part: Any = document
            for key in reference.split('"', 1)[0].removeprefix("#/").split("/"):
                part = part[key]
        app = here.stage.server._runner.app
        routed = {
            (route.method.lower(), route.resource.canonical)
            for route in app.router.routes()
            if route.method != "HEAD"
            and route.resource is not None
            and route.resource.canonical.startswith(("/api/", "/health/ready", "/metrics"))
        }
        hooks = {route for route in routed if "/webhook/" in route[1]}
        told = {(method, path) for path, item in document["paths"].items() for method in item}
        assert routed - hooks == told
        assert all(item.get("operationId") for path in document["paths"].values() for item in path.values())


async def test_every_field_of_a_bot_is_documented(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        schemas = (await document_of(here))["components"]["schemas"]
        _, shown = await here.ask("GET", "/api/bots/shop")
        assert set(shown) <= set(schemas["Bot"]["properties"])
        assert set(schemas["BotChange"]["properties"]) <= set(schemas["NewBot"]["properties"])
        assert {"llm_api_key", "spending_cap_cents", "tools"} <= set(schemas["BotChange"]["properties"])


class _Page(HTMLParser):
    """The names and links of a page, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        self.links.add(found.get("href") or found.get("src") or "")
        self.scripts += tag == "script" or any(name.startswith("on") or name == "style" for name in found)


async def test_the_page_shows_each_call_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        document = await document_of(here)
        status, text, headers = await here.stage.ask("GET", "/api/docs")
        page = _Page()
        page.feed(text)
        assert (status, headers["Content-Type"], page.scripts) == (200, "text/html; charset=utf-8", 0)
        assert all(path in text for path in document["paths"])
        inner = {link[1:] for link in page.links if link.startswith("#")}
        assert inner
        assert inner <= page.ids
        assert all(link.startswith(("#", "/", "data:")) for link in page.links - {""})
        assert (await here.stage.ask("GET", "/static/reference.css"))[0] == 200
