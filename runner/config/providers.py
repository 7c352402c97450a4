"""The `providers:` section: who serves models, and with which key.

Rules: a provider without a key in the file gets the one in its usual environment variable; a provider that a
bot needs and that lacks something is a problem of that bot, which names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from runner.bots import Secret
from runner.config import convert
from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.known import PROVIDERS, KnownProvider
from runner.config.models import FileSection, ProviderSection
from runner.config.settings import ProviderSettings
from runner.config.workflow_section import models_in, written_of


def provider_settings(
    file: FileSection, drafts: Iterable[Draft], environ: Mapping[str, str], findings: Findings
) -> dict[str, ProviderSettings]:
    """The providers that the file names or a bot uses; those with faults are left out and reported."""
    used = {name for draft in drafts for name in providers_of(draft)}
    parts = (model for part in file.workflows.values() for model in models_in(part))
    used.update(model.split("/", 1)[0] for model in parts if "/" in model)
    names = [*file.providers, *(name for name in PROVIDERS if name in used and name not in file.providers)]
    made = {}
    for name in names:
        section = file.providers.get(name, ProviderSection())
        kind = _kind(name, section, findings)
        if kind is not None:
            made[name] = ProviderSettings(
                name=name,
                kind=kind,
                base_url=section.base_url,
                api_key=_key(name, section, environ, findings),
                account_id=section.account_id,
            )
    return made


def providers_of(draft: Draft) -> list[str]:
    """The providers that a bot may call, without the faulty ones."""
    tiers = draft.routing.tiers.values() if draft.routing is not None else ()
    others = [*draft.section.fallbacks, *(tier.model for tier in tiers), draft.section.transcription or ""]
    written = written_of(draft)
    others += () if written is None else models_in(written.source)
    return [draft.main.provider, *(text.split("/", 1)[0] for text in others if "/" in text)]


def _kind(
    name: str, section: ProviderSection, findings: Findings
) -> Literal["openai", "anthropic", "echo"] | None:
    place = ("providers", name)
    known = PROVIDERS.get(name)
    if known is not None:
        if section.kind not in {None, known.kind}:
            findings.problem(
                (*place, "kind"), f"{name} is of kind {known.kind}; name your own provider differently"
            )
        return known.kind
    for field in ("kind", "base_url"):
        if getattr(section, field) is None:
            findings.problem((*place, field), "required for a provider of your own")
    return section.kind if section.base_url else None


def _key(
    name: str, section: ProviderSection, environ: Mapping[str, str], findings: Findings
) -> Secret | None:
    key = convert.secret(section.api_key)
    known = PROVIDERS.get(name, KnownProvider("openai"))
    if key is None and known.key_variable is not None:
        value = environ.get(known.key_variable, "").strip()
        findings.sealed.add(value)
        key = Secret(value) if value else None
    return key
