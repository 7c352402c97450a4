"""From what a bot's section says and what is asked for to what it shall say. Pure.

    shown       a section's raw values as they may be seen: secrets as ***
    merged      JSON merge patch (RFC 7386) into the raw values
    differences the changes that turn the one section into the other, each as deep down as it goes

Rules: raw values are those of the file, references unfollowed; texts from outside are literal, so `$` that would
begin a reference is doubled; a text that is the same as the one that was shown leaves the raw one as it is; which
values are secrets is asked of the models, never of their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from adapters import registry
from runner.config.document import Plain
from runner.config.edit_text import Change, Put, Remove, same
from runner.config.models import BotSection, ChannelSection
from runner.config.problems import HIDDEN, Path

_REFERENCE = re.compile(r"\$(\$|\{[^}]*\})")
_OWN_SECRET = re.compile(r"\$\{secret:([A-Za-z0-9_.-]+)\}")
_IN_ORDER = ("routing", "tiers")
"""A mapping whose order means something: what is new in it goes behind the others."""
_MIGHT_REFER = re.compile(r"\$(?=[${])")


def shown(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section without its secrets; references that are none are told as they are written."""
    hidden = frozenset(secret_places(section))
    return {key: _shown(value, (key,), hidden) for key, value in section.items()}


def _shown(value: Plain, path: Path, hidden: frozenset[Path]) -> Plain:
    if path in hidden:
        return HIDDEN
    if isinstance(value, dict):
        return {key: _shown(item, (*path, key), hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, (*path, index), hidden) for index, item in enumerate(value)]
    return spoken(value) if isinstance(value, str) else value


def spoken(text: str) -> str:
    """A raw text as it is meant; one with references is told as it is written."""
    refers = any(found[1] != "$" for found in _REFERENCE.finditer(text))
    return text if refers else text.replace("$$", "$")


def literal(text: str) -> str:
    """A text as the file must say it so that it means exactly this."""
    return _MIGHT_REFER.sub("$$", text)


def merged(own: Plain, patch: Plain) -> Plain:
    """The values after a merge patch; nulls take away."""
    if not isinstance(patch, dict):
        return patch
    result = dict(own) if isinstance(own, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def secret_places(section: Mapping[str, Any]) -> list[Path]:
    """Where the section holds secrets: every text that its models call one."""
    return [
        path
        for path, value, kind in _leaves(dict(section), BotSection, ())
        if isinstance(value, str) and kind in {SecretStr, _Unknown}
    ]


def misplaced_texts(section: Mapping[str, Any]) -> list[Path]:
    """Where a text stands that no model takes one at: the file may refer to a number, from outside it must be one."""
    kinds: dict[Path, bool] = {}
    for path, value, kind in _leaves(dict(section), BotSection, ()):
        if isinstance(value, str):
            kinds[path] = kinds.get(path, False) or kind not in {bool, int, float, type(None)}
    return [path for path, takes_text in kinds.items() if not takes_text]


class _Unknown:
    """The kind of what no model describes: it may be a secret."""


def _leaves(data: Plain, kind: Any, path: Path) -> Iterator[tuple[Path, Plain, Any]]:  # noqa: ANN401 - a type
    """Each plain value, with each kind that it may be of."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        for one in _alternatives(data, inside):
            yield from _leaves(data, one, path)
    elif origin is Annotated:
        yield from _leaves(data, inside[0], path)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, _kind_in(data, kind, key), (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _leaves(item, inside[0] if origin is list else _inner(kind), (*path, index))
    else:
        yield path, data, kind


def _alternatives(data: Plain, kinds: Sequence[Any]) -> Sequence[Any]:
    """Those of the kinds that the data may be of: a mapping is what describes one, where anything does."""
    if not isinstance(data, dict):
        return kinds
    plain = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]
    mappings = [
        kind
        for kind in plain
        if get_origin(kind) in {dict, Union, UnionType}
        or (isinstance(kind, type) and issubclass(kind, BaseModel))
    ]
    return mappings or kinds


def _kind_in(data: Mapping[str, Any], kind: Any, key: str) -> Any:  # noqa: ANN401 - types
    """The kind of an entry of a mapping of that kind."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if key == "platform_config" and issubclass(kind, BotSection | ChannelSection):
            platform = data.get("platform")
            return registry.config_model(platform) if platform in registry.platforms() else _Unknown
        field = kind.model_fields.get(key)
        return str if field is None else Annotated[field.annotation, "field"]
    return get_args(kind)[1] if get_origin(kind) is dict else _inner(kind)


def _inner(kind: Any) -> Any:  # noqa: ANN401 - types
    """What is inside of something that its model does not look into."""
    return _Unknown if kind is _Unknown else str


def settled(new: Plain, raw: Plain, secrets: Mapping[Path, str], path: Path = ()) -> Plain:
    """The values as the file shall say them.

    Args:
        new: what is asked for, with raw values where nothing was asked.
        raw: what the file says now.
        secrets: what stands in the place of each new secret.
        path: where we are.
    """
    if path in secrets:
        return secrets[path]
    if isinstance(new, dict):
        old = raw if isinstance(raw, dict) else {}
        return {key: settled(value, old.get(key), secrets, (*path, key)) for key, value in new.items()}
    if isinstance(new, list):
        before = raw if isinstance(raw, list) else []
        padded = [*before, *[None] * len(new)]
        return [settled(item, padded[index], secrets, (*path, index)) for index, item in enumerate(new)]
    if isinstance(new, str) and isinstance(raw, str):
        return raw if new in {raw, spoken(raw)} else literal(new)
    return literal(new) if isinstance(new, str) else new


def differences(before: Mapping[str, Any], after: Mapping[str, Any], where: Path) -> list[Change]:
    """What turns the one mapping into the other."""
    changes: list[Change] = [Remove((*where, key)) for key in before if key not in after]
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and old and value:
            changes += differences(old, value, (*where, key))
        elif key not in before or not same(old, value):
            behind = where[-2:] == _IN_ORDER and key not in before
            changes.append(Put((*where, key), value, new=behind))
    return changes


def at(data: Plain, path: Path) -> Plain:
    """What is at that place; None where nothing is."""
    for key in path:
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def kept_names(text: str) -> list[str]:
    """The names of the encrypted store that a file refers to."""
    return _OWN_SECRET.findall(text)
