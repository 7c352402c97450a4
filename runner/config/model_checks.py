"""Whether the models of a bot can be called, and held against its limits.

Rules: unpriced is not free: a model without a price is not called while anything limits the bot's money, and
the problem says which lines would mend it. A key that is missing is a problem of the bot that needs it. A model
that writes speech down is priced by the second, one that talks by the token: neither can stand in for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.known import PROVIDERS
from runner.config.models import FileSection
from runner.config.money_checks import limiter
from runner.config.problems import Path, did_you_mean, nearest
from runner.config.routing_section import is_pair
from runner.config.settings import ProviderSettings
from runner.config.workflow_checks import NamedModel
from runner.money.prices import ANY_PROVIDER, PriceBook


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model that a bot may call, and the places in the bot that say so. `free`: it is said to cost nothing."""

    provider_at: Path
    model_at: Path
    provider: str
    model: str
    free: bool = False

    @property
    def listens(self) -> bool:
        """Whether it is to write speech down."""
        return self.model_at == (_SPEECH,)


_SPEECH = "transcription"
_PAIRS = {"fallbacks": "openai/gpt-4o-mini", _SPEECH: "openai/whisper-1"}


def check_models(
    draft: Draft,
    file: FileSection,
    prices: PriceBook,
    providers: Mapping[str, ProviderSettings],
    findings: Findings,
    named: Sequence[NamedModel] = (),
) -> None:
    """Each model that the bot may call has a provider that can be called, and a price where money is limited.

    `named`: those that its workflow names.
    """
    for wanted in (*_wanted(draft), *map(_of_node, named)):
        if _provider(draft, wanted.provider_at, wanted.provider, providers, findings):
            _kind(draft, wanted, providers[wanted.provider], findings)
            _price(draft, wanted, prices, limiter(draft, wanted.provider, file), findings)
    model = draft.main.model
    row = prices.find(draft.main.provider, model)
    if draft.section.llm_config.temperature is not None and row is not None and not row.limits.temperature:
        message = f"is not sent: the model {model} takes no temperature"
        findings.warn(draft.place("llm_config"), message, at=draft.line("llm_config", findings))


def check_pairs(draft: Draft, findings: Findings) -> None:
    """Each fallback, and the model for speech, names a provider and a model."""
    section = draft.section
    for index, text in enumerate(section.fallbacks):
        if not is_pair(text):
            place = findings.where((*draft.place("fallbacks"), index), ("defaults", "fallbacks", index))
            findings.problem(place, f"must be provider/model, such as {_PAIRS['fallbacks']}")
    if section.transcription is None:
        return
    at = draft.line(_SPEECH, findings)
    if not is_pair(section.transcription):
        findings.problem(draft.place(_SPEECH), f"must be provider/model, such as {_PAIRS[_SPEECH]}", at=at)
    if section.attachments == "off":
        findings.warn(draft.place(_SPEECH), "is not used with attachments: off", at=at)


def _wanted(draft: Draft) -> Iterator[_Wanted]:
    """The models that the bot may call. With tiers, the bot's own is one of them."""
    section, routing = draft.section, draft.routing
    if routing is not None and draft.sure("routing"):
        for name, tier in routing.tiers.items():
            if is_pair(tier.model):
                path = ("routing", "tiers", name)
                provider, _, model = tier.model.partition("/")
                yield _Wanted(path, path, provider, model, tier.free)
    elif draft.sure("llm_provider", "llm_model", "routing"):
        yield _Wanted(("llm_provider",), ("llm_model",), section.llm_provider, section.llm_model)
    pairs = [("fallbacks", text) for text in section.fallbacks]
    pairs += [(_SPEECH, section.transcription)] if section.transcription is not None else []
    for field, text in pairs:
        if draft.sure(field) and is_pair(text):
            provider, _, model = text.partition("/")
            yield _Wanted((field,), (field,), provider, model)


def _of_node(named: NamedModel) -> _Wanted:
    return _Wanted(named.path, named.path, named.choice.provider, named.choice.model)


def _provider(
    draft: Draft, path: Path, name: str, providers: Mapping[str, ProviderSettings], findings: Findings
) -> bool:
    """Whether there is such a provider; complains where there is none, or where it lacks what it needs."""
    at = draft.line(path, findings)
    settings = providers.get(name)
    if settings is None:
        if ("providers", name) not in findings.document.lines:
            guess = did_you_mean(name, [*PROVIDERS, *providers])
            findings.problem(draft.place(*path), f"unknown provider {findings.shown(name)!r}{guess}", at=at)
        return False
    known = PROVIDERS.get(name)
    for needed in known.needs if known else ():
        if getattr(settings, needed) is None:
            message = f"bot {draft.id} needs providers.{name}.{needed}"
            findings.problem(draft.place(*path), message, at=at)
    own_key = name == draft.main.provider and draft.section.billing_mode == "byok"
    own_key = own_key or not draft.sure("billing_mode", "llm_api_key")
    no_key = settings.api_key is None and ("providers", name, "api_key") not in findings.missing
    if known and known.needs_key and no_key and not own_key:
        findings.problem(
            draft.place(*path),
            f"bot {draft.id} needs a key for {name}: set the environment variable {known.key_variable}"
            f" or providers.{name}.api_key",
            at=at,
        )
    return True


def _kind(draft: Draft, wanted: _Wanted, provider: ProviderSettings, findings: Findings) -> None:
    """Only servers of one kind write speech down."""
    if wanted.listens and provider.kind != "openai":
        message = (
            f"{provider.name} does not write speech down; one of kind openai may, such as openai or groq"
        )
        findings.problem(draft.place(_SPEECH), message, at=draft.line(_SPEECH, findings))


def _price(draft: Draft, wanted: _Wanted, prices: PriceBook, limits: str | None, findings: Findings) -> None:
    """The model has a price of the right kind, at least where something (`limits`) limits money."""
    path, provider, model = wanted.model_at, wanted.provider, wanted.model
    at = draft.line(path, findings)
    row = prices.find(provider, model)
    if row is not None:
        by_second = row.limits.min_audio_seconds is not None
        if by_second is not wanted.listens:
            findings.problem(draft.place(*path), _misplaced(wanted, findings), at=at)
        elif wanted.free and not row.is_free:
            message = f"is free: true, but the price row of {findings.shown(model)} is not all zeros"
            findings.problem(draft.place(*path), message, at=at)
        return
    what = f"the model {findings.shown(model)} of {provider} has no price"
    guess = nearest(model, _like(wanted, prices))
    hint = f" Did you mean {guess}?" if guess else ""
    if limits is None and not wanted.free:
        message = f"bot {draft.id}: {what}, so what it costs is not counted.{hint}"
        findings.warn(draft.place(*path), message, at=at)
        return
    key = _yaml_key(model) if findings.shown(model) == model else "THE-MODEL"
    unit, values = "tokens", 'input: "…", output: "…"'
    if wanted.free:
        limits, values = limits or f"bot {draft.id} calls it free", 'input: "0", output: "0"'
    if wanted.listens:
        unit, values = "seconds", 'input: "…", output: "0", limits: {min_audio_seconds: 1}'
    add = "Or add" if hint else "Add"
    message = f"{limits}, but {what}.{hint} {add} it, in US dollars per million {unit}:"
    findings.problem(draft.place(*path), f"{message}\n    prices:\n      {key}: {{{values}}}", at=at)


def _misplaced(wanted: _Wanted, findings: Findings) -> str:
    model = findings.shown(wanted.model)
    if wanted.listens:
        return (
            f"{model} is priced by the token; this takes a model that is priced by the second of audio,"
            f" such as {_PAIRS[_SPEECH]}"
        )
    return f"{model} writes speech down and does not talk: it belongs to transcription"


def _like(wanted: _Wanted, prices: PriceBook) -> list[str]:
    """Models of the same provider that do the same."""
    return [
        row.model
        for row in prices.models()
        if row.provider in {wanted.provider, ANY_PROVIDER}
        and (row.limits.min_audio_seconds is not None) is wanted.listens
    ]


def _yaml_key(model: str) -> str:
    """The model as a key of YAML: quoted where it could be read as something else."""
    plain = model[:1].isalpha() and all(c.isalnum() or c in "-._/" for c in model)
    return model if plain else "'" + model.replace("'", "''") + "'"
