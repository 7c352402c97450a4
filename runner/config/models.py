"""bots.yaml as pydantic models: which fields there are, of what kind, with which defaults.

Rules: no field that is not known; units are in the names; what only makes sense together with something
else (a platform that exists, a price, a key) is not asked here but in `checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from runner.bots import Texts
from runner.config.caps import CapsSection
from runner.config.fields import MOST_CENTS, Cents, Number, Section, UserId, Whole
from runner.config.knowledge_section import CollectionSection
from runner.config.routing_section import NoTaskOrName, ResponseCacheField, RoutingField
from runner.config.schedule_section import ScheduleSection
from runner.config.team_section import TeamField

LONGEST_TIMEOUT_MS = 60_000

Said = Annotated[str, Field(min_length=1)]
"""What a bot says; it cannot say nothing."""
_TEXTS = Texts()
Name = Annotated[str, Field(min_length=1, max_length=200)]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ContextWindow = Annotated[int, Whole(2, 10_000)]


class ServerSection(Section):
    """`server:`, the one HTTP server: webhooks, health, API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Whole(0, 65_535)] = 8080
    public_url: str | None = Field(None, pattern=r"^https?://[^\s/]+[^\s]*$")
    jwt_secret: SecretStr | None = None
    stop_timeout_s: Annotated[int, Whole(1, 600)] = 25


class StoreSection(Section):
    """`store:`, where everything is remembered."""

    url: str | None = None
    retention_days: Annotated[int, Whole(8, 36_500)] = 90


class ProviderSection(Section):
    """One entry of `providers:`."""

    kind: Literal["openai", "anthropic"] | None = None
    base_url: str | None = Field(None, pattern=r"^https?://[^\s/]+[^\s]*$")
    api_key: SecretStr | None = None
    account_id: str | None = None


class PlanSection(Section):
    """One entry of `plans:`."""

    monthly_tokens: Annotated[int, Whole(0)] | None = None
    monthly_cents: Cents | None = None


class WalletSection(Section):
    """`wallet:`, how far down what was paid in may go."""

    hard_limit_cents: Annotated[int, Whole(-MOST_CENTS, MOST_CENTS)] = 0
    soft_limit_cents: Annotated[int, Whole(-MOST_CENTS, MOST_CENTS)] | None = None


class ToolServerSection(Section):
    """One MCP server of a workspace: `command` or `url`."""

    command: str | list[str] | None = None
    url: SecretStr | None = None
    env: dict[str, SecretStr] = Field(default_factory=dict)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    tools: list[str] | None = None
    timeout_ms: Annotated[int, Whole(1, LONGEST_TIMEOUT_MS)] = 10_000


class WorkspaceSection(Section):
    """One entry of `workspaces:`."""

    servers: dict[str, ToolServerSection] = Field(default_factory=dict)


class AlertsSection(Section):
    """`alerts:`."""

    webhook: SecretStr | None = None
    secret: SecretStr | None = None


class LlmConfigSection(Section):
    """`llm_config:`."""

    temperature: Number | None = Field(None, ge=0, le=2, allow_inf_nan=False)


class AccessSection(Section):
    """`access:`."""

    allow_users: list[UserId] = Field(default_factory=list)
    deny_users: list[UserId] = Field(default_factory=list)
    groups: Literal["mention", "all", "off"] = "mention"


class ToolSection(Section):
    """One entry of `tools:`."""

    type: Literal["http"] = "http"
    name: ToolName
    description: Annotated[str, Field(min_length=1)]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str = Field(pattern=r"^https?://[^\s/]+[^\s]*$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    timeout_ms: Annotated[int, Whole(1, LONGEST_TIMEOUT_MS)] = 10_000
    allow_private: bool = False


class ChannelSection(Section):
    """One entry of `channels:`."""

    platform: str
    platform_config: dict[str, Any] = Field(default_factory=dict)


class BotSection(Section):
    """One entry of `bots:`; also `defaults:`, which may hold all but what names a single bot."""

    name: Name | None = None
    description: str = ""
    platform: str | None = None
    platform_config: dict[str, Any] = Field(default_factory=dict)
    channels: Annotated[list[ChannelSection], Field(min_length=1)] | None = None
    enabled: bool = True
    system_prompt: str = ""
    welcome_message: str | None = None
    fallback_message: str | None = None
    spending_cap_message: Said = _TEXTS.cap_reached
    wallet_empty_message: Said = _TEXTS.wallet_empty
    quota_message: Said = _TEXTS.quota_spent
    allowance_message: Said = _TEXTS.allowance_spent
    conversation_cap_message: Said = _TEXTS.conversation_spent
    llm_provider: str = "anthropic"
    llm_model: str = "claude-sonnet-4-6"
    llm_api_key: SecretStr | None = None
    llm_config: LlmConfigSection = LlmConfigSection()
    billing_mode: Literal["wallet", "byok", "plan_quota"] = "wallet"
    plan: str | None = None
    spending_cap_cents: Cents | None = None
    max_cost_cents_per_message: Cents | None = None
    caps: CapsSection = CapsSection()
    max_loop_iterations: Annotated[int, Whole(1, 100)] = 10
    max_tool_calls: Annotated[int, Whole(0, 1000)] = 20
    max_tokens_per_turn: Annotated[int, Whole(1, 1_000_000)] = 8192
    max_tool_result_chars: Annotated[int, Whole(100, 1_000_000)] = 16_000
    same_call_limit: Annotated[int, Whole(1, 100)] = 3
    failing_calls_limit: Annotated[int, Whole(1, 100)] = 3
    timeout_ms: Annotated[int, Whole(1, LONGEST_TIMEOUT_MS)] = 30_000
    conversation_scope: Literal["user", "channel"] = "user"
    conversation_max_messages: ContextWindow = 20
    conversation_keep_messages: Annotated[int, Whole(1, 10_000)] | None = None
    conversation_ttl_hours: Number = Field(24.0, gt=0, le=87_600, allow_inf_nan=False)
    context: Literal["auto", "blocks", "sliding"] = "auto"
    summarize: bool = False
    workspace_id: str | None = None
    tools: list[ToolSection] = Field(default_factory=list)
    workflow_enabled: bool = False
    workflow: dict[str, Any] | None = None
    workflow_json: str | dict[str, Any] | None = None
    team: TeamField = None
    task: NoTaskOrName = ""
    routing: RoutingField = None
    fallbacks: list[str] = Field(default_factory=list)
    response_cache: ResponseCacheField = False
    prompt_cache: Literal["auto", "off", "5m", "1h"] = "auto"
    rate_limit_per_minute: Annotated[int, Whole(1, 1_000_000)] | None = None
    user_rate_limit_per_minute: Annotated[int, Whole(1, 1_000_000)] | None = None
    access: AccessSection = AccessSection()
    expose_usage: bool = False
    stream_replies: Literal["auto", "off"] = "auto"
    attachments: Literal["auto", "off"] = "auto"
    transcription: str | None = None
    schedule: list[ScheduleSection] = Field(default_factory=list)


class FileSection(Section):
    """The whole file. Bots, defaults, prices and providers are looked at one by one, later."""

    server: ServerSection = ServerSection()
    store: StoreSection = StoreSection()
    providers: dict[str, ProviderSection] = Field(default_factory=dict)
    price_book: Literal["default", "seed"] = "default"
    prices: dict[str, Any] = Field(default_factory=dict)
    plans: dict[str, PlanSection] = Field(default_factory=dict)
    wallet: WalletSection | None = None
    workspaces: dict[str, WorkspaceSection] = Field(default_factory=dict)
    workflows: dict[str, dict[str, Any]] = Field(default_factory=dict)
    knowledge: dict[str, CollectionSection] = Field(default_factory=dict)
    alerts: AlertsSection = AlertsSection()
    reload: Literal["auto", "off"] = "auto"
    defaults: dict[str, Any] = Field(default_factory=dict)
    bots: Annotated[dict[str, Any], Field(min_length=1)]
