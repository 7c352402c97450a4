"""Whether the models of a bot can be called, and held against its limits.

Rules: unpriced is not free: a model without a price is not called while anything limits the bot's money, and
the problem says which lines would mend it. A key that is missing is a problem of the bot that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.known import PROVIDERS
from runner.config.models import FileSection
from runner.config.problems import Path, did_you_mean, nearest
from runner.config.settings import ProviderSettings
from runner.money.prices import ANY_PROVIDER, PriceBook


def check_models(
    draft: Draft, prices: PriceBook, providers: Mapping[str, ProviderSettings], findings: Findings
) -> None:
    """Each model that the bot may call has a provider that can be called, and a price where money is limited."""
    for provider_field, model_field, provider, model in _wanted(draft):
        if _provider(draft, provider_field, provider, providers, findings):
            _price(draft, model_field, provider, model, prices, findings)
    section = draft.section
    row = prices.find(section.llm_provider, section.llm_model)
    if section.llm_config.temperature is not None and row is not None and not row.limits.temperature:
        message = f"is not sent: the model {section.llm_model} takes no temperature"
        findings.warn(draft.place("llm_config"), message, at=_line(draft, "llm_config", findings))


def check_billing(draft: Draft, file: FileSection, findings: Findings) -> None:
    """The bot's way of paying has what it needs."""
    section = draft.section
    at = _line(draft, "billing_mode", findings)
    match section.billing_mode:
        case "plan_quota":
            findings.problem(draft.place("billing_mode"), "plan_quota comes with a later version", at=at)
        case "byok":
            if section.llm_api_key is None and draft.sure("llm_api_key"):
                findings.problem(draft.place("billing_mode"), "byok needs the bot's own llm_api_key", at=at)
        case "wallet":
            if section.llm_api_key is not None and draft.sure("billing_mode"):
                message = "is not used: a bot's own key is used with billing_mode: byok only"
                at = _line(draft, "llm_api_key", findings)
                findings.warn(draft.place("llm_api_key"), message, at=at)
    if section.plan is not None and section.plan not in file.plans:
        message = f"there is no plan {findings.shown(section.plan)!r} under plans:"
        findings.problem(draft.place("plan"), message, at=_line(draft, "plan", findings))


def check_fallbacks(draft: Draft, findings: Findings) -> None:
    """Each fallback names a provider and a model."""
    for index, text in enumerate(draft.section.fallbacks):
        provider, _, model = text.partition("/")
        if not provider or not model:
            place = findings.where((*draft.place("fallbacks"), index), ("defaults", "fallbacks", index))
            findings.problem(place, "must be provider/model, such as openai/gpt-4o-mini")


def _wanted(draft: Draft) -> Iterator[tuple[str, str, str, str]]:
    """The models that the bot may call: field of the provider, field of the model, provider, model."""
    section = draft.section
    if draft.sure("llm_provider", "llm_model"):
        yield "llm_provider", "llm_model", section.llm_provider, section.llm_model
    for text in section.fallbacks if draft.sure("fallbacks") else ():
        provider, _, model = text.partition("/")
        if provider and model:
            yield "fallbacks", "fallbacks", provider, model


def _line(draft: Draft, field: str, findings: Findings) -> Path:
    """Where the value of a field comes from: the bot, the defaults, or neither."""
    return findings.where(draft.place(field), ("defaults", field), ("bots", draft.id))


def _provider(
    draft: Draft, field: str, name: str, providers: Mapping[str, ProviderSettings], findings: Findings
) -> bool:
    """Whether there is such a provider; complains where there is none, or where it lacks what it needs."""
    at = _line(draft, field, findings)
    settings = providers.get(name)
    if settings is None:
        if ("providers", name) not in findings.document.lines:
            guess = did_you_mean(name, [*PROVIDERS, *providers])
            findings.problem(draft.place(field), f"unknown provider {findings.shown(name)!r}{guess}", at=at)
        return False
    known = PROVIDERS.get(name)
    for needed in known.needs if known else ():
        if getattr(settings, needed) is None:
            message = f"bot {draft.id} needs providers.{name}.{needed}"
            findings.problem(draft.place(field), message, at=at)
    own_key = draft.section.billing_mode == "byok" or not draft.sure("billing_mode", "llm_api_key")
    no_key = settings.api_key is None and ("providers", name, "api_key") not in findings.missing
    if known and known.needs_key and no_key and not own_key:
        findings.problem(
            draft.place(field),
            f"bot {draft.id} needs a key for {name}: set the environment variable {known.key_variable}"
            f" or providers.{name}.api_key",
            at=at,
        )
    return True


def _price(
    draft: Draft, field: str, provider: str, model: str, prices: PriceBook, findings: Findings
) -> None:
    if prices.find(provider, model) is not None:
        return
    at = _line(draft, field, findings)
    what = f"the model {findings.shown(model)} of {provider} has no price"
    guess = nearest(model, [row.model for row in prices.models() if row.provider in {provider, ANY_PROVIDER}])
    hint = f" Did you mean {guess}?" if guess else ""
    section = draft.section
    if section.spending_cap_cents is None and section.max_cost_cents_per_message is None:
        message = f"bot {draft.id}: {what}, so what it costs is not counted.{hint}"
        findings.warn(draft.place(field), message, at=at)
        return
    key = _yaml_key(model) if findings.shown(model) == model else "THE-MODEL"
    message = (
        f"bot {draft.id} limits what it spends, but {what}.{hint} Or add it, in US dollars per million tokens:"
        if hint
        else f"bot {draft.id} limits what it spends, but {what}. Add it, in US dollars per million tokens:"
    )
    lines = f'\n    prices:\n      {key}: {{input: "…", output: "…"}}'
    findings.problem(draft.place(field), message + lines, at=at)


def _yaml_key(model: str) -> str:
    """The model as a key of YAML: quoted where it could be read as something else."""
    plain = model[:1].isalpha() and all(c.isalnum() or c in "-._/" for c in model)
    return model if plain else "'" + model.replace("'", "''") + "'"
