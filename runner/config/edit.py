"""One value of bots.yaml is changed, and nothing else in it.

Rules: only the characters of that value change (or one line is added), so comments, order, quotes and line
ends stay as the operator wrote them. The new text is read again and must be the old values with that one
difference before anything is written. The file is replaced in one step (a new file beside it, made durable,
then renamed over it) with its mode kept; readers see the old text or the new one, never half of one. A file
that changed in the meantime, is read-only, or would get another fault is left alone.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from runner.config.document import Plain, compose, read_document
from runner.config.files import replace_file
from runner.config.loader import parse, sources_of
from runner.config.models import MOST_CENTS
from runner.config.problems import Path as Where
from runner.config.problems import Problem, Problems, did_you_mean, dotted
from runner.config.secrets import Secrets, read_text_file
from runner.config.settings import Loaded

Value: TypeAlias = str | int | float | bool | None
"""What can be set: one plain value."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_ALIAS = re.compile(r"\s*:\s+(\*[^\s,\]}]+)")
_BLOCKS = frozenset({"|", ">"})
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


class _Unclear(Exception):
    """The place cannot be edited without touching anything else; the text is the problem's message."""


def set_cap(
    path: Path, bot_id: str, cents: int | None, *, environ: Mapping[str, str], secrets: Secrets | None = None
) -> Problem | None:
    """Set a bot's `spending_cap_cents`, None: no cap. None where it was done, else why not.

    The value is set on the bot itself, also where it came from `defaults:` before.
    """
    if cents is not None and not 0 <= cents <= MOST_CENTS:
        return Problem(str(path), 0, "", f"a cap is a whole number of cents from 0 to {MOST_CENTS}")
    return set_field(path, ("bots", bot_id, "spending_cap_cents"), cents, environ=environ, secrets=secrets)


def set_field(
    path: Path,
    where: Where,
    value: Value,
    *,
    environ: Mapping[str, str],
    secrets: Secrets | None = None,
) -> Problem | None:
    """Set one plain value of the file; the mapping that holds it must be there. None where it was done.

    A change that would add a problem is refused with it. Problems that were there before do not hinder: who
    changes a cap need not have all the secrets that the daemon has.
    """
    try:
        before = read_text_file(path)
        status = path.stat()
    except OSError as fault:
        return Problem(str(path), 0, "", f"cannot be read: {os.strerror(fault.errno or 0)}")
    except ValueError:
        return Problem(str(path), 0, "", "is not a UTF-8 text of at most 8 MiB")
    if not status.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        return Problem(str(path), 0, "", "is read-only")
    after = changed_text(before, str(path), where, value)
    if isinstance(after, Problem):
        return after
    sources = sources_of(path, environ, secrets)
    fresh = _new_problem(parse(before, str(path), sources), parse(after, str(path), sources))
    return fresh or _replace(path, before, after, status)


def _new_problem(before: Loaded | Problems, after: Loaded | Problems) -> Problem | None:
    """The first problem that the file did not have before."""
    if isinstance(after, Loaded):
        return None
    old = {(p.path, p.message) for p in before.problems} if isinstance(before, Problems) else set()
    return next((p for p in after.problems if (p.path, p.message) not in old), None)


def changed_text(text: str, file: str, where: Where, value: Value) -> str | Problem:
    """The text with that one value changed or added; pure."""
    document = read_document(text, file)
    if document.data is None or document.problems:
        return document.problems[0] if document.problems else Problem(file, 0, "", "is empty")
    try:
        edit = _edit(text, where, _written(value))
    except _Unclear as fault:
        return Problem(file, document.line_of(where), dotted(where), str(fault))
    after = text[: edit.start] + edit.text + text[edit.end :]
    again = read_document(after, file)
    if again.problems or again.data != _with(document.data, where, value):
        message = "cannot be changed without touching more of the file; change it by hand"
        return Problem(file, document.line_of(where), dotted(where), message)
    return after


def _edit(text: str, where: Where, written: str) -> _Edit:
    node: Node | None = compose(text)
    parent: Node | None = None
    for depth, key in enumerate(where[:-1]):
        found = _entry(node, key)
        if found is None:
            names = [str(k.value) for k, _ in node.value] if isinstance(node, MappingNode) else []
            raise _Unclear(f"there is no {dotted(where[: depth + 1])}{did_you_mean(str(key), names)}")
        parent, node = found
    if not isinstance(node, MappingNode):
        raise _Unclear(f"{dotted(where[:-1])} is no mapping that a field can be added to")
    entry = _entry(node, where[-1])
    if entry is None:
        return _added(text, parent, node, f"{where[-1]}: {written}")
    key_node, old = entry
    alias = _ALIAS.match(text, key_node.end_mark.index)
    if alias is not None:
        return _Edit(alias.start(1), alias.end(1), written)
    if not isinstance(old, ScalarNode) or old.style in _BLOCKS:
        raise _Unclear("is more than a plain value; change it by hand")
    start, end = old.start_mark.index, old.end_mark.index
    if start == end:  # an empty value: its mark is where the next thing begins
        start = end = text.index(":", key_node.end_mark.index) + 1
        written = f" {written}"
    return _Edit(start, end, written)


def _entry(node: Node | None, key: str | int) -> tuple[Node, Node] | None:
    """The key's and the value's node, of the mapping itself (not merged in)."""
    if not isinstance(node, MappingNode):
        return None
    return next(((k, v) for k, v in node.value if isinstance(k, ScalarNode) and k.value == str(key)), None)


def _added(text: str, parent: Node | None, node: MappingNode, line: str) -> _Edit:
    """A new entry of the mapping, in its own style: after its first entry if that is one line, else before it."""
    if node.flow_style:
        start = node.start_mark.index + 1
        return _Edit(start, start, line + (", " if node.value else ""))
    key, value = node.value[0]
    indent = " " * int(key.start_mark.column)
    one_line = isinstance(value, ScalarNode) and value.style not in _BLOCKS
    above = value if one_line and value.end_mark.line == key.start_mark.line else parent
    if above is None:
        raise _Unclear("cannot be added here; change it by hand")
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", above.end_mark.index)
    if end < 0:
        return _Edit(len(text), len(text), f"{newline}{indent}{line}")
    return _Edit(end + 1, end + 1, f"{indent}{line}{newline}")


def _written(value: Value) -> str:
    """The value as YAML on one line."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=False)


def _with(data: Plain, where: Where, value: Plain) -> Plain:
    """The values with that one difference; what is not on the way is shared, nothing is changed."""
    if not where:
        return value
    return {**data, where[0]: _with(data.get(where[0]) if isinstance(data, dict) else None, where[1:], value)}


def _replace(path: Path, before: str, after: str, status: os.stat_result) -> Problem | None:
    """Put the new text in the file's place, if it still holds the old one."""
    try:
        done = replace_file(
            path,
            after.encode(),
            stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            still_wanted=lambda: read_text_file(path) == before,
        )
    except (OSError, ValueError) as fault:
        reason = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else str(fault)
        return Problem(str(path), 0, "", f"cannot be written: {reason}")
    message = "was changed by somebody else just now; nothing was written"
    return None if done else Problem(str(path), 0, "", message)
