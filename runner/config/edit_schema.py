"""JSON Schema of a bot's fields as they come from outside: that of bots.yaml without its references. Pure."""

from __future__ import annotations

from typing import Any

from runner.config.fields import REFERENCE
from runner.config.schema import schema


def bot_schema() -> dict[str, Any]:
    """`BotSection` and what it refers to, by name; references begin with `#/$defs/`."""
    definitions = schema()["$defs"]
    wanted = ["BotSection"]
    for name in wanted:
        wanted += [other for other in _references(definitions[name]) if other not in wanted]
    made: dict[str, Any] = _literal({name: definitions[name] for name in wanted})
    return made


def _references(part: Any) -> list[str]:  # noqa: ANN401 - JSON
    """The names of the definitions that a part refers to."""
    if isinstance(part, list):
        return [name for item in part for name in _references(item)]
    if not isinstance(part, dict):
        return []
    own = [str(part["$ref"]).split("/")[2]] if isinstance(part.get("$ref"), str) else []
    return own + [name for value in part.values() for name in _references(value)]


def _literal(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The schema in which a value is itself and nowhere a reference."""
    if isinstance(part, list):
        return [_literal(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: _literal(value) for key, value in part.items()}
    if "anyOf" in made:
        kept = [item for item in made["anyOf"] if item != REFERENCE]
        if len(kept) == 1:
            del made["anyOf"]
            return {**kept[0], **made}
        made["anyOf"] = kept
    return made
