"""What the fields of bots.yaml mean together: everything that would keep `run` from running, found before it.

Rules: one function a question, each over all bots; a disabled bot is asked only what it would be wrong about
even when it rests; where a field is in doubt already, nothing more is said about what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.known import PROVIDERS
from runner.config.models import FileSection
from runner.config.problems import did_you_mean, nearest
from runner.config.settings import ProviderSettings
from runner.money.prices import PriceBook

_ABSENT = object()


def check(
    file: FileSection,
    drafts: Sequence[Draft],
    prices: PriceBook,
    providers: Mapping[str, ProviderSettings],
    findings: Findings,
) -> None:
    """Ask all questions."""
    for draft in drafts:
        _billing(draft, file, findings)
        _context(draft, findings)
        _tool_names(draft, findings)
        _fallbacks(draft, findings)
        _workspace(draft, file, findings)
        _not_yet(draft, findings)
        if draft.section.enabled:
            _models(draft, prices, providers, findings)
            _reachable(draft, file.server.host, findings)
    _accounts([draft for draft in drafts if draft.section.enabled], findings)
    if file.alerts.webhook is not None:
        findings.warn(("alerts", "webhook"), "not in this version yet: alerts go to the log and the metrics")


# ---------------------------------------------------------------------------------- models and money


def _models(
    draft: Draft, prices: PriceBook, providers: Mapping[str, ProviderSettings], findings: Findings
) -> None:
    """Each model it may call has a provider that can be called, and a price where money is limited."""
    section = draft.section
    wanted = []
    if draft.sure("llm_provider"):
        wanted.append(("llm_provider", "llm_model", section.llm_provider, section.llm_model))
    if draft.sure("fallbacks"):
        for text in section.fallbacks:
            provider, slash, model = text.partition("/")
            if slash:
                wanted.append(("fallbacks", "fallbacks", provider, model))
    for field, model_field, provider, model in wanted:
        if _provider(draft, field, provider, providers, findings) and draft.sure("llm_model"):
            _price(draft, model_field, provider, model, prices, findings)


def _provider(
    draft: Draft, field: str, name: str, providers: Mapping[str, ProviderSettings], findings: Findings
) -> bool:
    """Whether there is such a provider; complains where there is none, or it lacks what it needs."""
    at = findings.where(draft.place(field), ("defaults", field), ("bots", draft.id))
    settings = providers.get(name)
    if settings is None:
        if ("providers", name) not in findings.document.lines:
            guess = did_you_mean(name, [*PROVIDERS, *providers])
            findings.problem(draft.place(field), f"unknown provider {name!r}{guess}", at=at)
        return False
    known = PROVIDERS.get(name)
    for needed in known.needs if known else ():
        if getattr(settings, needed) is None:
            findings.problem(
                draft.place(field),
                f"provider {name} needs providers.{name}.{needed} for bot {draft.id}",
                at=at,
            )
    own_key = draft.section.llm_api_key is not None and draft.section.billing_mode == "byok"
    if known and known.needs_key and settings.api_key is None and not own_key and draft.sure("llm_api_key"):
        _no_key(draft, name, findings)
    return True


def _no_key(draft: Draft, name: str, findings: Findings) -> None:
    place = ("providers", name, "api_key")
    if place in findings.missing:
        return
    findings.problem(
        draft.place("llm_provider"),
        f"bot {draft.id} needs a key for {name}: set the environment variable {PROVIDERS[name].key_variable}"
        f" or providers.{name}.api_key",
        at=findings.where(draft.place("llm_provider"), ("defaults", "llm_provider"), ("bots", draft.id)),
    )


def _price(
    draft: Draft, field: str, provider: str, model: str, prices: PriceBook, findings: Findings
) -> None:
    """A model without a price cannot be held against a limit, so it is not called while there is one."""
    if prices.find(provider, model) is not None:
        return
    at = findings.where(draft.place(field), ("defaults", field), ("bots", draft.id))
    names = [row.model for row in prices.models() if row.provider in {provider, "*"}]
    guess = nearest(model, names)
    hint = f"did you mean {guess}?" if guess else ""
    section = draft.section
    if section.spending_cap_cents is None and section.max_cost_cents_per_message is None:
        text = (
            f"bot {draft.id}: the model {model} of {provider} has no price, so what it costs is not counted"
        )
        findings.warn(draft.place(field), f"{text}; {hint}" if hint else text, at=at)
        return
    if model in findings.sealed.texts:
        model = "the-model"
    findings.problem(
        draft.place(field),
        f"bot {draft.id} limits what it spends, but the model {model} of {provider} has no price"
        f"{f'; {hint}' if hint else ''}. Put in its price, in US dollars per million tokens:\n"
        f"    prices:\n"
        f'      {_yaml_key(model)}: {{input: "…", output: "…"}}',
        at=at,
    )


def _yaml_key(model: str) -> str:
    """The model as a key of YAML: quoted where it could be read as something else."""
    plain = model[:1].isalpha() and all(c.isalnum() or c in "-._/" for c in model)
    return model if plain else "'" + model.replace("'", "''") + "'"


def _billing(draft: Draft, file: FileSection, findings: Findings) -> None:
    section = draft.section
    at = findings.where(
        draft.place("billing_mode"),
        ("defaults", "billing_mode"),
        draft.place("llm_api_key"),
        ("bots", draft.id),
    )
    match section.billing_mode:
        case "plan_quota":
            findings.problem(draft.place("billing_mode"), "plan_quota comes with a later version", at=at)
        case "byok":
            if section.llm_api_key is None and draft.sure("llm_api_key"):
                findings.problem(draft.place("billing_mode"), "byok needs the bot's own llm_api_key", at=at)
        case "wallet":
            if section.llm_api_key is not None and draft.sure("billing_mode"):
                message = "is not used: the bot's own key is used with billing_mode: byok only"
                findings.warn(draft.place("llm_api_key"), message)
    if section.plan is not None and section.plan not in file.plans:
        guess = did_you_mean(section.plan, file.plans)
        findings.problem(
            draft.place("plan"),
            f"there is no plan {section.plan!r} under plans:{guess.removeprefix(',')}",
            at=findings.where(draft.place("plan"), ("defaults", "plan")),
        )


def _fallbacks(draft: Draft, findings: Findings) -> None:
    for index, text in enumerate(draft.section.fallbacks):
        provider, _, model = text.partition("/")
        if not provider or not model:
            place = findings.where((*draft.place("fallbacks"), index), ("defaults", "fallbacks", index))
            findings.problem(place, "must be provider/model, such as openai/gpt-4o-mini")


# -------------------------------------------------------------------------------- the rest of a bot


def _context(draft: Draft, findings: Findings) -> None:
    section = draft.section
    keep, most = section.conversation_keep_messages, section.conversation_max_messages
    if keep is not None and keep > most and draft.sure("conversation_max_messages"):
        at = findings.where(
            draft.place("conversation_keep_messages"),
            draft.place("conversation_max_messages"),
            ("defaults", "conversation_keep_messages"),
        )
        message = f"must not be more than conversation_max_messages ({most})"
        findings.problem(draft.place("conversation_keep_messages"), message, at=at)


def _tool_names(draft: Draft, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, tool in enumerate(draft.section.tools):
        place = findings.where((*draft.place("tools"), index), ("defaults", "tools", index))
        if tool.name in seen:
            findings.problem((*place, "name"), f"two tools of bot {draft.id} are called {tool.name}")
        seen.setdefault(tool.name, index)
        if tool.parameters and tool.parameters.get("type") != "object":
            findings.problem((*place, "parameters"), "must be a JSON schema of type: object")


def _workspace(draft: Draft, file: FileSection, findings: Findings) -> None:
    name = draft.section.workspace_id
    if name is None:
        return
    at = findings.where(draft.place("workspace_id"), ("defaults", "workspace_id"))
    if name not in file.workspaces:
        guess = did_you_mean(name, file.workspaces)
        findings.problem(
            draft.place("workspace_id"), f"there is no workspace {name!r} under workspaces:{guess}", at=at
        )
    elif file.workspaces[name].servers:
        message = "tool servers are not in this version yet: the bot runs without them"
        findings.warn(draft.place("workspace_id"), message, at=at)


def _not_yet(draft: Draft, findings: Findings) -> None:
    """What the file may say already, but nothing would come of."""
    section = draft.section
    for field, wanted in (
        ("workflow_enabled", section.workflow_enabled),
        ("team", bool(section.team)),
        ("routing", bool(section.routing)),
    ):
        if wanted:
            at = findings.where(draft.place(field), ("defaults", field))
            findings.problem(draft.place(field), "comes with a later version", at=at)
    for field, wanted, instead in (
        ("summarize", section.summarize, "old messages are dropped without a summary"),
        ("response_cache", bool(section.response_cache), "each message is answered by the model"),
    ):
        if wanted:
            at = findings.where(draft.place(field), ("defaults", field))
            findings.warn(draft.place(field), f"not in this version yet: {instead}", at=at)


def _reachable(draft: Draft, host: str, findings: Findings) -> None:
    """A bot that anybody may call without a secret is served on this machine only."""
    if is_loopback(host):
        return
    for channel in draft.channels:
        if getattr(channel.config, "secret", _ABSENT) is None:
            findings.problem(
                draft.place("platform_config"),
                f"bot {draft.id} needs platform_config.secret, since server.host {host} is not this machine alone",
                at=findings.where(
                    draft.place("platform_config"), draft.place("platform"), ("bots", draft.id)
                ),
            )


def is_loopback(host: str) -> bool:
    """Whether a server on that host is reached from this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _accounts(drafts: Iterable[Draft], findings: Findings) -> None:
    """Two bots on one account of a platform would take each other's messages."""
    owners: dict[tuple[str, str], str] = {}
    for draft in drafts:
        for channel in draft.channels:
            account = getattr(channel.config, "account", None)
            if account is None:
                continue
            first = owners.setdefault((channel.platform, account), draft.id)
            if first != draft.id or sum(c.config == channel.config for c in draft.channels) > 1:
                whose = f"bot {first} has" if first != draft.id else "another channel of this bot has"
                findings.problem(
                    draft.place("platform_config"),
                    f"{whose} the same {channel.platform} token: each needs its own",
                    at=findings.where(
                        draft.place("platform_config"), draft.place("channels"), ("bots", draft.id)
                    ),
                )
