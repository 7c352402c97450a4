"""Puts an advice's line where it belongs and reads the file again, as an operator would."""

import json
from typing import Any

from ruamel.yaml import YAML

from runner.advice.counsel import Advice
from runner.bots import Bot
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded

ENVIRON = {
    "HOME": "/home/op",
    "ANTHROPIC_API_KEY": "sk-a",
    "OPENAI_API_KEY": "sk-o",
    "OPENROUTER_API_KEY": "sk-r",
}


def dumped(data: Any) -> str:
    """As YAML; a JSON text is one."""
    return json.dumps(data)


def read_bot(fields: dict[str, Any], name: str = "support") -> Bot:
    """The only bot of a file that says so."""
    result = parse(dumped({"bots": {name: fields}}), "bots.yaml", Sources(ENVIRON))
    assert isinstance(result, Loaded), f"{result}"
    return result.settings.bots[0]


def after(fields: dict[str, Any], advice: Advice, name: str = "support") -> Bot:
    """The bot of these fields when what the advice says is written; it says one line."""
    assert "\n" not in advice.write
    top, bot, *path = advice.where.split(".")
    assert (top, bot) == ("bots", name)
    changed = {**fields}
    place = changed
    for step in path:
        place[step] = {**place[step]}
        place = place[step]
    written = YAML(typ="safe", pure=True).load(advice.write)
    assert isinstance(written, dict)
    place.update(written)
    return read_bot(changed, name)
