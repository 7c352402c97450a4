"""Calls of the admin API: each is said once, and routing, validation and documentation come from that.

    Call(method, path, summary, scope, query model, body model, answers, refusals, handler)
      ├─ route(call)      admits the caller, checks query and body, all faults at once, then asks the handler
      └─ openapi          `runner.web.openapi` tells the same to clients

Rules: a handler gets what is checked and refuses by an answer, not by an exception; what a call may answer is in its
declaration, those of the frame (400, 401, 403, 408, 413, 415, 429) are added where they can happen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from runner.web.answers import refusal
from runner.web.auth import Scope
from runner.web.bodies import MAX_BODY, json_object
from runner.web.entry import Caller, Doorkeeper
from runner.web.faults import fault, faults_of

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Schema = Mapping[str, Any]


class Fields(BaseModel):
    """What a request brings: no field that is not known; made when first needed, for start and memory count."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class Shown(BaseModel):
    """What an answer holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Nothing(Fields):
    """No fields."""


class Anything(Fields):
    """Any fields: the handler has them checked elsewhere."""

    model_config = ConfigDict(extra="allow")


QueryT = TypeVar("QueryT", bound=Fields)
BodyT = TypeVar("BodyT", bound=Fields)


@dataclass(frozen=True, slots=True)
class Asked(Generic[QueryT, BodyT]):
    """A request that may be answered.

    Attributes:
        params: what stands in the path.
        raw: the body as it came, where there is one.
    """

    request: web.Request
    params: Mapping[str, str]
    query: QueryT
    body: BodyT
    raw: Mapping[str, Any]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a call is answered well.

    Attributes:
        shown: the model of its JSON; None: it has no body, or is of another `content_type`.
        schema: in place of the model, where the schema is made elsewhere.
        headers: names of headers that come with it, and what they say.
        also: other content types that the same may come as, such as `text/csv`.
    """

    description: str
    shown: type[BaseModel] | None = None
    content_type: str = "application/json"
    schema: Schema | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Generic[QueryT, BodyT]):
    """One call.

    Attributes:
        path: with `{names}`, each a part of the path.
        scope: what a token must allow; None: no token is asked for.
        query: the model of the query; `Nothing` where it has none.
        body: the model of the JSON body; `Nothing` where it has none.
        answers: by status.
        refusals: what it may refuse by itself, by status, beside the frame's.
        body_schema: in place of the body's model, where the schema is made elsewhere.
        group: under which heading it is documented.
        most: how many bytes its body may have.
    """

    method: Method
    path: str
    summary: str
    scope: Scope | None
    handle: Callable[[Asked[QueryT, BodyT]], Awaitable[web.StreamResponse]]
    query: type[QueryT]
    body: type[BodyT]
    answers: Mapping[int, Answer]
    refusals: Mapping[int, str] = field(default_factory=dict)
    body_schema: Schema | None = None
    group: str = "Bots"
    most: int = MAX_BODY

    @property
    def has_query(self) -> bool:
        """Whether anything may stand behind the question mark."""
        return self.query is not Nothing

    @property
    def has_body(self) -> bool:
        """Whether a body is read."""
        return self.body is not Nothing


AnyCall = Call[Any, Any]

LIMITED = "Too many calls in a minute."
_FRAME = {
    400: "The request has faults; all of them are told, each with its field's path.",
    401: "There is no token, or it is not good.",
    403: "The token's scope does not allow this.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is packed.",
    429: LIMITED,
}


def refusals_of(call: AnyCall) -> Mapping[int, str]:
    """Everything that this call may refuse, by status."""
    told = {400, 429} if call.has_query or not call.has_body else {400, 408, 413, 415, 429}
    told |= {408, 413, 415} if call.has_body else set()
    told |= {401, 403} if call.scope is not None else set()
    return dict(sorted({**{status: _FRAME[status] for status in told}, **call.refusals}.items()))


def routes_of(calls: Iterable[AnyCall], door: Doorkeeper) -> list[web.RouteDef]:
    """Routes that do what the declarations say."""
    return [_route(call, door) for call in calls]


def _route(call: AnyCall, door: Doorkeeper) -> web.RouteDef:
    async def asked(request: web.Request) -> web.StreamResponse:
        caller = await door.admit(request, call.scope)
        if isinstance(caller, web.Response):
            return caller
        raw = await json_object(request, call.most) if call.has_body else {}
        if isinstance(raw, web.Response):
            return raw
        query, faults = _checked(call.query, dict(request.query))
        body, more = _checked(call.body, raw)
        faults += [*_doubled(request), *more]
        if query is None or body is None or faults:
            return invalid(faults)
        return await call.handle(Asked(request, request.match_info, query, body, raw, caller))

    return web.route(call.method, call.path, asked)


def invalid(faults: Iterable[Mapping[str, str]]) -> web.Response:
    """The request has these faults."""
    return refusal(400, "invalid", "the request has faults", list(faults))


def _doubled(request: web.Request) -> list[Mapping[str, str]]:
    names = list(request.query.keys())
    return [fault(name, "must stand there once") for name in dict.fromkeys(names) if names.count(name) > 1]


def _checked(model: type[Fields], raw: Mapping[str, Any]) -> tuple[Fields | None, list[Mapping[str, str]]]:
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, faults_of(error)
