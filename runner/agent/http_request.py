"""From a declared tool and a call's arguments to one HTTP request. Pure.

    https://host/orders/{id}?lang={lang}      a place holds one argument, percent-encoded, and nothing more:
                                              it ends no segment, climbs no folder, starts no query
    GET, HEAD, DELETE                         the other arguments join the query
    POST, PUT, PATCH                          the other arguments are the JSON body

Rules: where a request goes (scheme, host, port) is the operator's word alone: a place there is refused, whatever
the argument. An argument in the path is never empty: `DELETE /orders/{id}` must not become `DELETE /orders/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from runner.agent.arguments import BadArguments, properties_of, read_arguments, required_by
from runner.bots import HttpTool

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")
_ORIGIN = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_IN_QUERY = frozenset({"GET", "HEAD", "DELETE"})
MAX_URL = 8192


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes on the wire, but for the headers. `url` is percent-encoded; `body` None: no body."""

    method: str
    url: str
    body: bytes | None = None


def places_of(tool: HttpTool) -> tuple[str, ...]:
    """The names of the URL's places, in order, each once."""
    return tuple(dict.fromkeys(_PLACE.findall(tool.url)))


def url_problem(url: str) -> str | None:
    """Why no call can ever be made with this URL template; None: it can."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return "it must begin with http:// or https:// and a host"
    return "its host must be fixed" if _PLACE.search(origin.group()) else None


def schema_of(tool: HttpTool) -> Mapping[str, Any]:
    """The arguments' schema; a place that it does not declare is a string that must be given."""
    declared = properties_of(tool.parameters)
    undeclared = [name for name in places_of(tool) if name not in declared]
    properties = {**declared, **{name: {"type": "string"} for name in undeclared}}
    schema = {**tool.parameters, "type": "object", "properties": properties}
    if undeclared:
        schema["required"] = [*required_by(tool.parameters), *undeclared]
    return schema


def build_http_request(tool: HttpTool, arguments: str) -> HttpRequest | BadArguments:
    """The request of one call; `arguments` is the model's JSON text."""
    given = read_arguments(arguments, schema_of(tool))
    if isinstance(given, BadArguments):
        return given
    origin = _ORIGIN.match(tool.url)
    problem = url_problem(tool.url)
    if origin is None or problem is not None:
        return BadArguments(f"this tool's URL is not usable: {problem}")
    rest = tool.url[origin.end() :].partition("#")[0]
    path, mark, query = rest.partition("?")
    filled = _path(path or "/", given)
    if isinstance(filled, BadArguments):
        return filled
    query = _PLACE.sub(lambda place: quote(_text(given.get(place[1])), safe=""), query)
    others = {name: value for name, value in given.items() if name not in places_of(tool)}
    body = None
    if tool.method in _IN_QUERY:
        query = "&".join(part for part in (query, urlencode(_pairs(others))) if part)
    else:
        body = json.dumps(others, ensure_ascii=False, separators=(",", ":")).encode()
    url = origin.group() + filled + ("?" + query if query else mark)
    if len(url) > MAX_URL:
        return BadArguments(f"the arguments make a URL of more than {MAX_URL} characters")
    return HttpRequest(tool.method, url, body)


def _path(template: str, given: Mapping[str, Any]) -> str | BadArguments:
    """The path with its places filled, segment by segment."""
    segments = []
    for segment in template.split("/"):
        names = _PLACE.findall(segment)
        empty = next((name for name in names if not _text(given.get(name))), None)
        if empty is not None:
            return BadArguments(f"`{empty}` must not be empty")
        filled = _PLACE.sub(lambda place: quote(_text(given.get(place[1])), safe=""), segment)
        if names and _climbs(filled):
            return BadArguments(f"`{names[0]}` must not hold `.` or `..` as a folder")
        segments.append(filled)
    return "/".join(segments)


def _climbs(segment: str) -> bool:
    """Whether a server that decodes the segment could see a step through folders in it."""
    return any(part in (".", "..") for part in re.split(r"[/\\]", unquote(segment)))


def _text(value: object) -> str:
    """A value as it stands in a URL."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _pairs(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Query parameters: a list repeats its name, null is left out."""
    return [
        (name, _text(value))
        for name, values in arguments.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
