"""From the mappings under `bots:` and `defaults:` to checked sections and channels.

Rules: what a bot says wins over `defaults:`; `access`, `caps`, `llm_config` and `routing` are merged field by
field, all else is taken whole. A fault in `defaults:` is reported once, there, and not for each bot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from adapters import registry
from runner.bots import Channel, ModelChoice
from runner.config.findings import Findings
from runner.config.models import BotSection
from runner.config.problems import Path, did_you_mean, one_of
from runner.config.routing_section import RoutingSection, default_choice, terms_of
from runner.config.shape import shape

BOT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
OF_ONE_BOT = ("name", "platform_config", "channels")
"""Fields that make no sense in `defaults:`."""
_MERGED = ("access", "caps", "llm_config", "routing")


@dataclass(frozen=True, slots=True)
class Draft:
    """A bot whose fields are right one by one; what they mean together is still to be checked.

    Attributes:
        places: where in the file each channel's config is.
        doubtful: fields that were faulty and stand at their defaults: nothing can be said about them.
    """

    id: str
    section: BotSection
    channels: tuple[Channel, ...]
    places: tuple[Path, ...]
    doubtful: frozenset[str]

    @property
    def given(self) -> frozenset[str]:
        """The fields that the bot or the defaults set."""
        return frozenset(self.section.model_fields_set)

    @property
    def routing(self) -> RoutingSection | None:
        """What it says of routing; None where it is off."""
        return terms_of(self.section.routing)

    @property
    def main(self) -> ModelChoice:
        """The model that is asked where nothing else is said: the default tier's, where there are tiers."""
        own = ModelChoice(self.section.llm_provider, self.section.llm_model)
        return default_choice(self.routing) or own

    def place(self, *path: str | int) -> Path:
        """The path of one of its fields, or of something inside of one."""
        return ("bots", self.id, *path)

    def line(self, field: str | Path, findings: Findings) -> Path:
        """Where the value of a field comes from: the bot, the defaults, or neither."""
        path = (field,) if isinstance(field, str) else field
        inside = [self.place(*path), ("defaults", *path)]
        outside = [self.place(path[0]), ("defaults", path[0])] if len(path) > 1 else []
        return findings.where(*inside, *outside, ("bots", self.id))

    def sure(self, *fields: str) -> bool:
        """Whether none of these fields is in doubt."""
        return self.doubtful.isdisjoint(fields)


def draft_bots(bots: Mapping[str, Any], defaults: Mapping[str, Any], findings: Findings) -> list[Draft]:
    """All bots that could be made out, in the file's order."""
    shared, unsure = _defaults(defaults, findings)
    drafts = []
    for bot_id, raw in bots.items():
        if not BOT_ID.fullmatch(bot_id):
            findings.problem(
                ("bots", bot_id),
                "a bot's id is 1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit",
            )
        if not isinstance(raw, dict):
            findings.problem(("bots", bot_id), "must be a mapping (name: value)")
            continue
        draft = _draft(bot_id, merged_with_defaults(shared, raw), findings, unsure)
        if draft is not None:
            drafts.append(draft)
    return drafts


def _defaults(raw: Mapping[str, Any], findings: Findings) -> tuple[dict[str, Any], frozenset[str]]:
    """The defaults without what is faulty in them, and the faulty fields."""
    shared = dict(raw)
    for field in OF_ONE_BOT:
        if field in shared:
            findings.problem(("defaults", field), "belongs to a single bot, not to the defaults")
            del shared[field]
    _, unsure = shape(BotSection, shared, findings, ("defaults",))
    return {key: value for key, value in shared.items() if key not in unsure}, unsure


def merged_with_defaults(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What a bot says, on top of what `defaults:` say."""
    merged = {**shared, **own}
    for field in _MERGED:
        ours, theirs = own.get(field), shared.get(field)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            merged[field] = {**theirs, **ours}
    if "channels" in own and "platform" not in own:
        merged.pop("platform", None)
    return merged


def _draft(bot_id: str, raw: dict[str, Any], findings: Findings, unsure: frozenset[str]) -> Draft | None:
    place = ("bots", bot_id)
    section, doubtful = shape(BotSection, raw, findings, place, ("defaults",))
    if section is None:
        return None
    unsure = doubtful | (unsure - raw.keys())
    found = _channels(section, place, findings, unsure)
    return Draft(bot_id, section, tuple(c for c, _ in found), tuple(p for _, p in found), unsure)


def _channels(
    section: BotSection, place: Path, findings: Findings, unsure: frozenset[str]
) -> list[tuple[Channel, Path]]:
    """The bot's channels with their checked configs, and where those are; faulty ones are reported instead."""
    if not unsure.isdisjoint({"platform", "platform_config", "channels"}):
        return []
    if section.channels is None:
        if section.platform is None:
            findings.problem((*place, "platform"), f"required: {one_of(registry.platforms())}")
            return []
        wanted = [(place, section.platform, section.platform_config)]
    elif section.platform is not None or section.platform_config:
        findings.problem(
            (*place, "channels"), "takes the place of platform and platform_config: give only one"
        )
        return []
    else:
        wanted = [
            ((*place, "channels", index), channel.platform, channel.platform_config)
            for index, channel in enumerate(section.channels)
        ]
    seen: Counter[str] = Counter()
    channels = []
    for where, platform, raw in wanted:
        seen[platform] += 1
        name = platform if seen[platform] == 1 else f"{platform}{seen[platform]}"
        config = _platform_config(where, platform, raw, findings)
        if config is not None:
            channels.append((Channel(name, platform, config), (*where, "platform_config")))
    return channels


def _platform_config(
    where: Path, platform: str, raw: Mapping[str, Any], findings: Findings
) -> BaseModel | None:
    at = findings.where((*where, "platform"), ("defaults", "platform"))
    if platform not in registry.platforms():
        guess = did_you_mean(platform, registry.platforms())
        known = one_of(registry.platforms())
        findings.problem(
            (*where, "platform"),
            f"unknown platform {findings.shown(platform)!r}{guess or f': {known}'}",
            at=at,
        )
        return None
    place = (*where, "platform_config")
    before = len(findings.problems)
    config, _ = shape(registry.config_model(platform), raw, findings, place)
    return config if len(findings.problems) == before else None
