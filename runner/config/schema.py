"""JSON Schema (draft 2020-12) of bots.yaml, for editors: made from the models that check the file.

Rules: a reference such as ${NAME} may stand wherever a value may; what depends on more than one field is
left to `check`; the fields of `platform_config` follow from the `platform` beside it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from adapters import registry
from runner.config.drafts import BOT_ID, OF_ONE_BOT
from runner.config.fields import REFERENCE
from runner.config.models import BotSection, FileSection

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_SCALARS = {"integer", "number", "boolean"}


def schema() -> Schema:
    """The schema as plain data."""
    configs = {platform: registry.config_model(platform) for platform in registry.platforms()}
    models: list[type[BaseModel]] = [FileSection, BotSection]
    made, definitions = models_json_schema([(model, "validation") for model in models])
    references = {model: made[model, "validation"]["$ref"] for model in models}
    shared: Schema = definitions["$defs"]
    for platform, config in configs.items():
        single = config.model_json_schema(ref_template=f"#/$defs/{platform}/$defs/{{model}}")
        shared[platform] = single
    file = shared.pop(references[FileSection].rsplit("/", 1)[1])
    bot = shared[references[BotSection].rsplit("/", 1)[1]]
    _choose_config(bot, configs)
    _choose_config(shared["ChannelSection"], configs)
    defaults = {key: value for key, value in bot["properties"].items() if key not in OF_ONE_BOT}
    file["properties"]["defaults"] = {"type": "object", "properties": defaults, "additionalProperties": False}
    file["properties"]["bots"] = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{BOT_ID.pattern}$"},
        "additionalProperties": {"$ref": references[BotSection]},
    }
    file["patternProperties"] = {"^x-": {}}
    whole = {"$schema": DIALECT, "title": "botrunner: bots.yaml", **file, "$defs": shared}
    finished: Schema = _with_references(whole)
    return finished


def _choose_config(section: Schema, configs: dict[str, Any]) -> None:
    """The platform decides what its config may hold."""
    section["properties"]["platform"] = {"enum": list(configs), "type": "string"}
    section["allOf"] = [
        {
            "if": {"properties": {"platform": {"const": platform}}, "required": ["platform"]},
            "then": {"properties": {"platform_config": {"$ref": f"#/$defs/{platform}"}}},
        }
        for platform in configs
    ]


def _with_references(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The schema in which a number, a choice or a shaped text may also be a reference."""
    if isinstance(part, list):
        return [_with_references(item) for item in part]
    if not isinstance(part, dict) or part == REFERENCE:
        return part
    inner = {key: _part(key, value) for key, value in part.items()}
    restricted = not inner.keys().isdisjoint({"pattern", "enum", "const", "minLength"})
    if not restricted and inner.get("type") not in _SCALARS:
        return inner
    outer = {key: inner.pop(key) for key in ("title", "description", "default") if key in inner}
    return {**outer, "anyOf": [inner, REFERENCE]}


def _part(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """What stands under a keyword: schemas by name, a schema, or something that is no schema."""
    if key in {"properties", "$defs", "patternProperties"}:
        return {name: _with_references(schema) for name, schema in value.items()}
    if key in {"items", "additionalProperties", "anyOf", "allOf", "oneOf", "then"}:
        return _with_references(value)
    return value
