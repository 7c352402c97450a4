"""Schemas made of those of bots.yaml: a bot that is new, a change of one, and one that is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.web.api.models import BotLine

Schema = dict[str, Any]
_AS_WRITTEN = {"type": "string", "pattern": r"\$\{", "description": "A reference, as bots.yaml has it."}
_PATCHED: Schema = {
    **{name: {"type": "object"} for name in ("platform_config", "access", "llm_config")},
    "routing": {"anyOf": [{"type": "object"}, {"enum": ["off", False]}]},
    "response_cache": {"anyOf": [{"type": "object"}, {"type": "boolean"}]},
}
"""What a patch may hold where it is merged, so that any part of it may be missing or null."""
_ID = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}


def bot_schemas(definitions: Mapping[str, Any]) -> Schema:
    """`NewBot`, `BotChange` and `Bot`, and all that they refer to. `definitions`: as `ports.definitions` gives them."""
    plain = {name: _with_any_platform(schema) for name, schema in definitions.items()}
    fields: Schema = plain["BotSection"]["properties"]
    others = {name: schema for name, schema in plain.items() if name != "BotSection"}
    named = {"id": {**_ID, "description": "Made of the name where it is missing."}, "slug": _ID}
    line = BotLine.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return {
        **others,
        **line.pop("$defs", {}),
        "NewBot": {
            "type": "object",
            "description": "A bot to be made; the fields are those of bots.yaml.",
            "properties": {**named, **fields},
            "required": ["name", "system_prompt"],
            "anyOf": [{"required": ["platform"]}, {"required": ["channels"]}],
            "additionalProperties": False,
        },
        "BotChange": {
            "type": "object",
            "description": (
                "A JSON merge patch (RFC 7386): what is missing stays, null takes a field away, objects are merged. "
                "*** in a secret's place leaves that secret as it is."
            ),
            "properties": {name: _or_null(name, schema) for name, schema in fields.items()},
            "additionalProperties": False,
        },
        "Bot": {
            **line,
            "description": "A bot with all its fields; secrets are shown as ***.",
            "properties": {
                **{name: {"anyOf": [_bare(schema), _AS_WRITTEN]} for name, schema in fields.items()},
                **line["properties"],
                "warnings": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "What is odd about what was just written.",
                },
            },
        },
    }


def _with_any_platform(section: Mapping[str, Any]) -> Schema:
    """The schema in which a platform's config is one of those there are: which one it must be is left to checking."""
    conditions = section.get("allOf", [])
    configs = [condition["then"]["properties"]["platform_config"] for condition in conditions]
    made = {key: value for key, value in section.items() if key != "allOf"}
    if configs:
        made["properties"] = {**made["properties"], "platform_config": {"anyOf": configs}}
    return made


def _or_null(name: str, schema: Mapping[str, Any]) -> Schema:
    inner = _PATCHED.get(name) or _bare(schema)
    return {"anyOf": [inner, {"type": "null"}]}


def _bare(schema: Mapping[str, Any]) -> Schema:
    """Without what is said of fields that are missing."""
    return {key: value for key, value in schema.items() if key not in {"default", "writeOnly"}}
