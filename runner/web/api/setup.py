"""Templates, and bots made of them.

Rules: what a template says of a bot is written to bots.yaml, field by field, and may be changed there like anything
else; of the values that come with a call only cleaned lines of the prompt are made (`context_lines`); a value that the
template does not ask for is taken all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from runner.ports.templates import BotTemplate, Templates
from runner.web.answers import answer
from runner.web.api.context_lines import context_lines
from runner.web.calls import Answer, AnyCall, Asked, Call, Fields, Nothing, Shown, invalid
from runner.web.faults import fault

MOST_VALUES = 50
Make = Callable[[str | None, Mapping[str, Any]], Awaitable[web.StreamResponse]]
_Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,50}$")]
_Value = Annotated[str, Field(max_length=500)]


class TemplateShown(Shown):
    """A template. `config_values`: what it asks for, each with an explanation; `workflow`: whether it has one."""

    id: str
    name: str
    description: str
    llm_provider: str | None
    llm_model: str | None
    workflow: bool
    config_values: dict[str, str]


class TemplateList(Shown):
    """All templates, by id."""

    templates: list[TemplateShown]


class NewSetup(Fields):
    """A bot that is to be made of a template.

    `platform_config`: as in bots.yaml, secrets included; `config_values`: what is said of the business.
    """

    template_id: Annotated[str, Field(min_length=1, max_length=100)]
    bot_name: Annotated[str, Field(min_length=1, max_length=200)]
    platform: Annotated[str, Field(min_length=1, max_length=100)]
    platform_config: dict[str, Any] = Field(default_factory=dict)
    config_values: Annotated[dict[_Key, _Value], Field(max_length=MOST_VALUES)] = Field(default_factory=dict)


class Setup:
    """The handlers.

    Args:
        templates: reads all of them.
        make: writes a new bot, and answers.
    """

    def __init__(self, templates: Templates, make: Make) -> None:
        self._templates = templates
        self._make = make
        self._read: Sequence[BotTemplate] | None = None

    def calls(self) -> Sequence[AnyCall]:
        """Both."""
        made = Answer(
            "The new bot.", schema={"$ref": "#/components/schemas/Bot"}, headers={"Location": "Where it is."}
        )
        return [
            Call(
                "GET",
                "/api/bots/templates",
                "What a bot can be made of.",
                None,
                self._list,
                Nothing,
                Nothing,
                {200: Answer("All templates.", TemplateList)},
            ),
            Call(
                "POST",
                "/api/bots/setup",
                "Make a bot of a template.",
                "admin",
                self._setup,
                Nothing,
                NewSetup,
                {201: made},
                {409: "bots.yaml was not changed (on a fleet: code fleet), or could not be put in force."},
            ),
        ]

    async def _list(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        return answer({"templates": [_shown(one) for one in await self._all()]})

    async def _setup(self, asked: Asked[Nothing, NewSetup]) -> web.StreamResponse:
        wanted, known = asked.body, await self._all()
        template = next((one for one in known if one.id == wanted.template_id), None)
        if template is None:
            names = ", ".join(one.id for one in known)
            return invalid([fault("template_id", f"there is no such template; there are {names}")])
        prompt = [str(template.fields["system_prompt"]), *context_lines(wanted.config_values)]
        fields = {
            "name": wanted.bot_name,
            "platform": wanted.platform,
            "platform_config": wanted.platform_config,
            **template.fields,
            "system_prompt": "\n".join(prompt),
        }
        return await self._make(None, fields)

    async def _all(self) -> Sequence[BotTemplate]:
        if self._read is None:
            self._read = await asyncio.to_thread(self._templates)
        return self._read


def _shown(template: BotTemplate) -> dict[str, Any]:
    fields = template.fields
    return {
        "id": template.id,
        "name": template.name,
        "description": template.description,
        "llm_provider": fields.get("llm_provider"),
        "llm_model": fields.get("llm_model"),
        "workflow": bool(fields.get("workflow_enabled")),
        "config_values": dict(template.values),
    }
