"""The templates that come with the program: each a whole bots.yaml with one bot, in `runner/templates`.

Rules: what `init` writes is the file itself, without what it says about itself (`x-template`), which stands last;
lines of the prompt that begin with `Context - ` are an example's, and others take their place where a bot is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from runner.errors import OperatorError
from runner.ports.templates import CONTEXT, BotTemplate

_ABOUT = "\nx-template:"
_NEEDED = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_ONE_BOT = ("platform", "platform_config", "name")
"""Fields that whoever makes a bot gives."""


def templates() -> Sequence[BotTemplate]:
    """All templates, by id. Reads files: not for the event loop."""
    folder = resources.files("runner").joinpath("templates")
    files = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    return tuple(
        _template(name.removesuffix(".yaml"), files[name].read_text(encoding="utf-8"))
        for name in sorted(files)
    )


def template(template_id: str) -> BotTemplate:
    """The one of that id. Raises OperatorError."""
    found = {each.id: each for each in templates()}
    if template_id not in found:
        raise OperatorError(f"there is no template {template_id!r}", f"Templates: {', '.join(found)}.")
    return found[template_id]


def variables_of(made: BotTemplate) -> tuple[str, ...]:
    """The environment variables that its file needs, comments aside."""
    lines = (line for line in made.text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(dict.fromkeys(name for line in lines for name in _NEEDED.findall(line)))


def _template(template_id: str, text: str) -> BotTemplate:
    whole: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    about: Mapping[str, Any] = whole["x-template"]
    [fields] = whole["bots"].values()
    fields = {key: value for key, value in fields.items() if key not in _ONE_BOT}
    fields["system_prompt"] = _without_example(fields["system_prompt"])
    return BotTemplate(
        id=template_id,
        name=about["name"],
        description=about["description"],
        fields=fields,
        values=about["config_values"],
        text=f"{text.partition(_ABOUT)[0].rstrip()}\n",
    )


def _without_example(prompt: str) -> str:
    return "\n".join(line for line in prompt.splitlines() if not line.startswith(CONTEXT)).rstrip() + "\n"
