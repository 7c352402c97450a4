"""The fake Discord's REST API: which call is answered how. No HTTP in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.testing.discord_parts import ApiError
from adapters.testing.discord_state import CHANNEL_RATE, Application

_MOST_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `route`: its method and path with `{id}` for each part that is no word of Discord's."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    parts: tuple[str, ...] = field(init=False)
    route: str = field(init=False)

    def __post_init__(self) -> None:
        parts = tuple(self.path.strip("/").split("/"))
        shape = "/".join(part if part in _WORDS else "{id}" for part in parts)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "route", f"{self.method} /{shape}")

    def fields(self) -> dict[str, Any]:
        """The JSON of the body. Raises ApiError."""
        try:
            raw = json.loads(self.body)
        except ValueError:
            raw = None
        if not isinstance(raw, dict):
            raise ApiError(400, 50109, "The request body contains invalid JSON.")
        return raw


_WORDS = frozenset({"users", "@me", "gateway", "bot", "applications", "commands", "channels", "messages"}) | {
    "typing",
    "interactions",
    "callback",
    "webhooks",
    "@original",
}


def answer(one: Application, call: Call, gateway: str, headers: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    """The result of a call, and headers beside it. Raises ApiError."""
    if call.route == "GET /gateway/bot":
        return {
            "url": gateway,
            "shards": one.recommended_shards,
            "session_start_limit": {
                "total": 1000,
                "remaining": max(0, one.sessions_left),
                "reset_after": 3_600_000,
                "max_concurrency": 1,
            },
        }
    way = _WAYS.get(call.route)
    if way is None:
        raise ApiError(404, 0, "404: Not Found")
    result = way(one, call)
    if call.route == "POST /channels/{id}/messages" and one.limits:
        remaining, reset = one.left(call.parts[1])
        headers |= {
            "X-RateLimit-Limit": str(CHANNEL_RATE),
            "X-RateLimit-Remaining": str(max(0, remaining)),
            "X-RateLimit-Reset-After": f"{reset:.3f}",
            "X-RateLimit-Bucket": "messages",
        }
    return result


def _me(one: Application, _: Call) -> object:
    return {"id": one.id, "username": one.username, "bot": True}


def _application(one: Application, _: Call) -> object:
    return {
        "id": one.id,
        "name": one.username,
        "flags": one.flags,
        "verify_key": one.public_key,
        "interactions_endpoint_url": one.posts_to,
    }


def _commands(one: Application, call: Call) -> object:
    if call.parts[1] != one.id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    if call.method == "GET":
        return list(one.commands.values())
    command = call.fields()
    made = {"id": one.snowflake(), "application_id": one.id, "type": 1, **command}
    one.commands[command["name"]] = made
    return made


def _post(one: Application, call: Call) -> object:
    return one.post(call.parts[1], call.fields())


def _history(one: Application, call: Call) -> object:
    channel, limit = call.parts[1], int(call.query.get("limit", "50"))
    if channel not in one.channels:
        raise ApiError(404, 10003, "Unknown Channel")
    if channel in one.closed:
        raise ApiError(403, 50001, "Missing Access")
    if not 1 <= limit <= _MOST_MESSAGES:
        raise ApiError(400, 50035, "Invalid Form Body")
    messages = one.channels[channel]
    if "after" in call.query:
        after = int(call.query["after"])
        return [raw for raw in messages if int(raw["id"]) > after][:limit][::-1]
    before = int(call.query.get("before", 2**63))
    return [raw for raw in messages if int(raw["id"]) < before][-limit:][::-1]


def _message(one: Application, call: Call) -> object:
    for raw in one.channels.get(call.parts[1], ()):
        if raw["id"] == call.parts[3]:
            return raw if call.method == "GET" else one.change(raw, call.fields())
    raise ApiError(404, 10008, "Unknown Message")


def _typing(one: Application, call: Call) -> object:
    if call.parts[1] not in one.channels:
        raise ApiError(404, 10003, "Unknown Channel")
    return None


def _callback(one: Application, call: Call) -> object:
    one.acknowledge(call.parts[2], call.fields())
    return None


def _original(one: Application, call: Call) -> object:
    return one.hook(call.parts[2]).message if call.method == "GET" else one.edit(call.parts[2], call.fields())


def _follow_up(one: Application, call: Call) -> object:
    return one.follow_up(call.parts[2], call.fields())


_WAYS: Mapping[str, Callable[[Application, Call], Any]] = {
    "GET /users/@me": _me,
    "GET /applications/@me": _application,
    "GET /applications/{id}/commands": _commands,
    "POST /applications/{id}/commands": _commands,
    "POST /channels/{id}/messages": _post,
    "GET /channels/{id}/messages": _history,
    "GET /channels/{id}/messages/{id}": _message,
    "PATCH /channels/{id}/messages/{id}": _message,
    "POST /channels/{id}/typing": _typing,
    "POST /interactions/{id}/{id}/callback": _callback,
    "GET /webhooks/{id}/{id}/messages/@original": _original,
    "PATCH /webhooks/{id}/{id}/messages/@original": _original,
    "POST /webhooks/{id}/{id}": _follow_up,
}
