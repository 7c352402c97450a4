"""What has to be done to a bots.yaml so that a bot is made, changed or taken out of it. Pure.

Rules: a plan says every change of the text and every secret that has to be kept first; what is wrong with what was
asked for and can be told without the rest of the file is told here, all else when the whole new file is checked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args

from runner.config.document import Document
from runner.config.drafts import merged_with_defaults
from runner.config.edit_merge import at, differences, merged, misplaced_texts, secret_places, settled
from runner.config.edit_text import Change, Put, Remove
from runner.config.edit_writing import can_be_written
from runner.config.models import BotSection
from runner.config.problems import HIDDEN, dotted
from runner.config.problems import Path as Where
from runner.config.secret_tokens import LONGEST_SECRET
from runner.ports.definitions import Conflict, Faulty, FieldFault

_REQUIRED = ("name", "system_prompt")
_NULL_SAYS_MORE = frozenset({"rate_limit_per_minute"})
"""Fields whose null is another thing than their absence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`secrets`: to be kept, by name, before the file is changed."""

    bot_id: str
    changes: tuple[Change, ...]
    secrets: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The names of secrets that are taken, and how often the file refers to each of its own."""

    kept: Collection[str]
    referred: Mapping[str, int]

    def free(self, bot_id: str, path: Where, raw: object) -> str:
        """A name for the secret at that path: the one it has, if nobody else has it, else one that is free."""
        base = ".".join((bot_id, *map(str, path)))
        name = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in base)[:90]
        for number in range(1, len(self.kept) + len(self.referred) + 2):
            tried = name if number == 1 else f"{name}-{number}"
            own = raw == reference(tried) and self.referred.get(tried) == 1
            if own or (tried not in self.kept and tried not in self.referred):
                return tried
        raise AssertionError("as many names as there are secrets, and one more")


def reference(name: str) -> str:
    """How the file names a secret."""
    return f"${{secret:{name}}}"


def bots_of(document: Document) -> Mapping[str, Any]:
    """The raw sections by id; empty where there are none."""
    bots = document.data.get("bots") if isinstance(document.data, dict) else None
    return bots if isinstance(bots, dict) else {}


def defaults_of(document: Document) -> Mapping[str, Any]:
    """The raw `defaults:`."""
    defaults = document.data.get("defaults") if isinstance(document.data, dict) else None
    return defaults if isinstance(defaults, dict) else {}


def creation(
    document: Document, bot_id: str, fields: Mapping[str, Any], names: Names
) -> Plan | Faulty | Conflict:
    """A new bot, behind the others."""
    if bot_id in bots_of(document):
        return Conflict(f"there is a bot {bot_id!r} already")
    given = {key: value for key, value in fields.items() if value is not None}
    missing = [field for field in _REQUIRED if field not in given]
    if "channels" not in given and "platform" not in given:
        missing.append("platform")
    faults = [FieldFault(field, "required") for field in missing]
    new = merged({}, given)
    section = _section(document, bot_id, new, {}, names)
    if isinstance(section, Faulty):
        return Faulty((*faults, *section.faults))
    if faults:
        return Faulty(tuple(faults))
    values, secrets = section
    changes: list[Change] = [Put(("bots", bot_id), values, new=True)]
    warnings: list[str] = []
    workspace = new.get("workspace_id")
    known = document.data.get("workspaces") or {}
    if isinstance(workspace, str) and isinstance(known, dict) and workspace not in known:
        place = ("workspaces", workspace) if known else ("workspaces",)
        changes.append(Put(place, {} if known else {workspace: {}}, new=True))
        warnings.append(f"workspace_id: the workspace {workspace!r} is new and has no tool servers")
    return Plan(bot_id, tuple(changes), secrets, tuple(warnings))


def revision(
    document: Document, bot_id: str, patch: Mapping[str, Any], names: Names
) -> Plan | Faulty | Conflict:
    """A bot after a merge patch."""
    own = bots_of(document).get(bot_id)
    if not isinstance(own, dict):
        return gone(bot_id)
    new = merged(own, patch)
    defaults = defaults_of(document)
    for key, value in patch.items():
        if value is None and _takes_null(key) and (defaults.get(key) is not None or key in _NULL_SAYS_MORE):
            new[key] = None
    section = _section(document, bot_id, new, own, names)
    if isinstance(section, Faulty):
        return section
    values, secrets = section
    return Plan(bot_id, tuple(differences(own, values, ("bots", bot_id))), secrets)


def removal(document: Document, bot_id: str) -> Plan | Conflict:
    """A bot leaves the file."""
    known = bot_id in bots_of(document)
    return Plan(bot_id, (Remove(("bots", bot_id)),), {}) if known else gone(bot_id)


def gone(bot_id: str) -> Conflict:
    """It is not in the file, whoever may still run it."""
    return Conflict(f"bots.yaml has no bot {bot_id!r} any more")


def _takes_null(field: str) -> bool:
    known = BotSection.model_fields.get(field)
    return known is not None and NoneType in get_args(known.annotation)


def _section(
    document: Document, bot_id: str, new: dict[str, Any], raw: Mapping[str, Any], names: Names
) -> tuple[dict[str, Any], Mapping[str, str]] | Faulty:
    """The bot's section as the file shall say it, and the secrets that it refers to."""
    if not can_be_written(new):
        return Faulty(
            tuple(FieldFault(key, _UNWRITABLE) for key in new if not can_be_written({key: new[key]}))
        )
    faults: list[FieldFault] = []
    places: dict[Where, str] = {}
    secrets: dict[str, str] = {}
    inherited = merged_with_defaults(defaults_of(document), raw)
    for path in secret_places(merged_with_defaults(defaults_of(document), new)):
        text, before = at(new, path), at(raw, path)
        if text == HIDDEN and before is not None:
            places[path] = str(before)
        elif text == HIDDEN and len(path) == 1 and at(inherited, path) is not None:
            del new[str(path[0])]
        elif fault := _secret_fault(text):
            faults.append(FieldFault(dotted(path), fault))
        elif isinstance(text, str) and text and text != before:
            name = names.free(bot_id, path, before)
            secrets[name] = text
            places[path] = reference(name)
    if faults:
        return Faulty(tuple(faults))
    values = settled(new, raw, places)
    for path in misplaced_texts(new):
        if at(new, path) != at(raw, path):
            _no_text(values, path)
    return values, secrets


def _secret_fault(text: object) -> str | None:
    if text == HIDDEN:
        return f"there is no secret that {HIDDEN} could stand for"
    too_long = isinstance(text, str) and len(text) > LONGEST_SECRET
    return f"must have at most {LONGEST_SECRET} characters" if too_long else None


_UNWRITABLE = "must be Unicode text and finite numbers"


def _no_text(values: Any, path: Where) -> None:  # noqa: ANN401 - plain values, all our own
    """Put there what no field takes, so that checking the file tells what it takes."""
    for key in path[:-1]:
        values = values[key]
    values[path[-1]] = {}
