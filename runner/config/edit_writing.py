"""A value as YAML, the way a person would have written it. Pure.

    short things     key: value            key: {}           key: [a, b]
    mappings         key:                  lists of them     key:
                       name: value                             - name: value
    long texts       key: |-
                       a line
                       another

Rules: what is written reads back as the same value; a text that could be read as something else, or that holds
what no eye can see, is quoted; `$` that would begin a reference is not this module's matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from runner.config.document import Plain

INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONGEST_LIST = 90


def can_be_written(value: Plain) -> bool:
    """Whether YAML in UTF-8 has a way to write it: no half characters, no numbers without end."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(can_be_written(key) and can_be_written(item) for key, item in value.items())
    return all(map(can_be_written, value)) if isinstance(value, list) else True


def lines_of(value: Plain, indent: str) -> list[str]:
    """What follows `key:`, by line; the first one is the rest of the key's own line.

    Args:
        value: to be written.
        indent: in front of the lines after the first.
    """
    if isinstance(value, dict) and value:
        return ["", *_entries(value, indent)]
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return ["", *(line for item in value for line in _item(item, indent))]
    if isinstance(value, str) and (text := _literal(value)):
        header, lines = text
        return [f" {header}", *(f"{indent}{line}" if line else "" for line in lines)]
    if isinstance(value, list) and len(flow(value)) > _LONGEST_LIST:
        return ["", *(f"{indent}- {flow(item)}" for item in value)]
    return [f" {flow(value)}"]


def flow(value: Plain) -> str:
    """The value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML
        return value if plain else _quoted(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value)


def _entries(mapping: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in mapping.items():
        first, *more = lines_of(value, indent + INDENT)
        lines += [f"{indent}{flow(key)}:{first}", *more]
    return lines


def _item(item: Plain, indent: str) -> list[str]:
    """An entry of a list: a mapping begins behind the dash."""
    if not isinstance(item, dict) or not item:
        return [f"{indent}- {flow(item)}"]
    first, *more = _entries(item, indent + INDENT)
    return [f"{indent}- {first.lstrip(' ')}", *more]


def _literal(text: str) -> tuple[str, Sequence[str]] | None:
    """The header and the lines of a text of several lines; None where quotes say it more exactly."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    visible = all(character.isprintable() or character in "\n\t" for character in body)
    plain = visible and not any(line.isspace() for line in lines) and lines[-1] != ""
    if "\n" not in body or not plain or lines[0][:1] in {"", " ", "\t"}:
        return None
    return ("|" if text.endswith("\n") else "|-"), lines


def _quoted(text: str) -> str:
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - as many digits as it takes
