"""From checked sections to what the rest works with. Pure; nothing here can fail."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from adapters import registry
from runner.bots import (
    Access,
    BillingMode,
    Bot,
    ConversationRules,
    HttpTool,
    Limits,
    ModelChoice,
    Secret,
    Texts,
    ToolServer,
    Workspace,
)
from runner.config.caps import to_caps
from runner.config.drafts import Draft
from runner.config.models import (
    AlertsSection,
    BotSection,
    FileSection,
    PlanSection,
    ServerSection,
    ToolSection,
    ToolServerSection,
    WalletSection,
    WorkspaceSection,
)
from runner.config.routing_section import to_response_cache, to_routing
from runner.config.schedule_section import to_schedule
from runner.config.settings import AlertWebhook, ServerSettings
from runner.config.team_section import to_team
from runner.config.workflow_section import to_workflow
from runner.money.amounts import Money, from_cents
from runner.money.terms import Plan, WalletTerms

_MS_PER_HOUR = 3_600_000
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


def secret(text: SecretStr | None) -> Secret | None:
    """Our wrapping in place of pydantic's; an empty text is none."""
    return Secret(text.get_secret_value()) if text is not None and text.get_secret_value() else None


def to_bot(
    draft: Draft,
    plans: Mapping[str, Plan],
    workspaces: Mapping[str, Workspace],
    workflows: Mapping[str, Any],
) -> Bot:
    """The bot that a draft without problems describes. `workflows`: the section of that name."""
    section = draft.section
    return Bot(
        id=draft.id,
        name=section.name or draft.id,
        description=section.description,
        enabled=section.enabled,
        channels=draft.channels,
        system_prompt=section.system_prompt,
        choice=draft.main,
        fallbacks=tuple(choices(section.fallbacks)),
        temperature=section.llm_config.temperature,
        texts=_texts(section),
        limits=_limits(section),
        conversations=_conversation_rules(section),
        access=Access(
            allow_users=frozenset(section.access.allow_users),
            deny_users=frozenset(section.access.deny_users),
            groups=section.access.groups,
        ),
        cap=_money(section.spending_cap_cents),
        caps=to_caps(section.caps),
        plan=None if section.plan is None else plans[section.plan],
        billing_mode=BillingMode(section.billing_mode),
        llm_api_key=secret(section.llm_api_key),
        tools=tuple(_tool(tool) for tool in section.tools),
        prompt_cache=section.prompt_cache,
        rate_limit_per_minute=_rate(draft),
        user_rate_limit_per_minute=section.user_rate_limit_per_minute,
        expose_usage=section.expose_usage,
        stream_replies=section.stream_replies == "auto",
        attachments=section.attachments == "auto",
        transcription=choices([section.transcription])[0] if section.transcription else None,
        task=section.task,
        routing=to_routing(draft.routing),
        response_cache=to_response_cache(section.response_cache),
        schedule=tuple(to_schedule(entry) for entry in section.schedule),
        workspace=None if section.workspace_id is None else workspaces[section.workspace_id],
        workflow=to_workflow(draft, workflows),
        team=to_team(section.team),
    )


def choices(texts: Iterable[str]) -> list[ModelChoice]:
    """`provider/model` texts as choices; the model's own name may hold more slashes."""
    return [ModelChoice(*text.split("/", 1)) for text in texts]


def to_server(section: ServerSection) -> ServerSettings:
    """The `server:` section."""
    return ServerSettings(
        host=section.host,
        port=section.port,
        public_url=section.public_url,
        jwt_secret=secret(section.jwt_secret),
        stop_timeout_s=float(section.stop_timeout_s),
    )


def to_plans(file: FileSection) -> dict[str, Plan]:
    """The `plans:` section."""
    return {name: _plan(name, plan) for name, plan in file.plans.items()}


def to_wallet(section: WalletSection | None) -> WalletTerms | None:
    """The `wallet:` section."""
    if section is None:
        return None
    return WalletTerms(from_cents(section.hard_limit_cents), _money(section.soft_limit_cents))


def to_alerts(section: AlertsSection) -> AlertWebhook | None:
    """The `alerts:` section."""
    url = secret(section.webhook)
    return None if url is None else AlertWebhook(url, secret(section.secret))


def to_workspaces(file: FileSection) -> dict[str, Workspace]:
    """The `workspaces:` section."""
    return {name: _workspace(name, workspace) for name, workspace in file.workspaces.items()}


def _money(cents: int | None) -> Money | None:
    return None if cents is None else from_cents(cents)


def _texts(section: BotSection) -> Texts:
    return Texts(
        welcome=section.welcome_message,
        fallback=section.fallback_message,
        cap_reached=section.spending_cap_message,
        wallet_empty=section.wallet_empty_message,
        quota_spent=section.quota_message,
        allowance_spent=section.allowance_message,
        conversation_spent=section.conversation_cap_message,
    )


def _limits(section: BotSection) -> Limits:
    return Limits(
        max_loop_iterations=section.max_loop_iterations,
        max_tool_calls=section.max_tool_calls,
        max_output_tokens=section.max_tokens_per_turn,
        timeout_s=section.timeout_ms / 1000,
        max_cost_per_message=_money(section.max_cost_cents_per_message),
        same_call_limit=section.same_call_limit,
        failing_calls_limit=section.failing_calls_limit,
        max_tool_result_chars=section.max_tool_result_chars,
    )


def _conversation_rules(section: BotSection) -> ConversationRules:
    most = section.conversation_max_messages
    return ConversationRules(
        scope=section.conversation_scope,
        ttl_ms=max(1, round(section.conversation_ttl_hours * _MS_PER_HOUR)),
        max_messages=most,
        keep_messages=section.conversation_keep_messages or most // 2,
        banded=section.conversation_keep_messages is not None,
        context=section.context,
        summarize=section.summarize,
    )


def _rate(draft: Draft) -> int | None:
    """Messages a minute: as written, null included, else the default of its liveliest platform."""
    if "rate_limit_per_minute" in draft.given:
        return draft.section.rate_limit_per_minute
    return max(registry.capabilities(channel.platform).default_rate_per_minute for channel in draft.channels)


def _tool(section: ToolSection) -> HttpTool:
    return HttpTool(
        name=section.name,
        description=section.description,
        method=section.method,
        url=section.url,
        parameters=section.parameters or _NO_ARGUMENTS,
        headers=_secrets(section.headers),
        timeout_s=section.timeout_ms / 1000,
        allow_private=section.allow_private,
    )


def _plan(name: str, section: PlanSection) -> Plan:
    return Plan(name, section.monthly_tokens, _money(section.monthly_cents))


def _workspace(name: str, section: WorkspaceSection) -> Workspace:
    return Workspace(name, tuple(_tool_server(key, server) for key, server in section.servers.items()))


def _tool_server(name: str, section: ToolServerSection) -> ToolServer:
    command = section.command
    return ToolServer(
        name=name,
        command=tuple(shlex.split(command) if isinstance(command, str) else command or ()),
        url=secret(section.url),
        env=_secrets(section.env),
        headers=_secrets(section.headers),
        tools=None if section.tools is None else tuple(section.tools),
        timeout_s=section.timeout_ms / 1000,
    )


def _secrets(texts: Mapping[str, SecretStr]) -> dict[str, Secret]:
    return {name: Secret(text.get_secret_value()) for name, text in texts.items()}
