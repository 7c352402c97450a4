"""A bot: who answers, with what, how far. What bots.yaml says, with its defaults filled in and checked.

Rule: a `Bot` never changes; a changed definition is another `Bot`. Secrets are wrapped and never show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from runner.money.amounts import Money
from runner.money.terms import Cap, Plan


class Secret:
    """A text that must not be seen: `repr` and `str` hide it, `reveal` is called at the last moment."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the wire only."""
        return self._text

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Equal texts; used to see whether a definition changed."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """By its text."""
        return hash(self._text)


class BillingMode(StrEnum):
    """Whose money a call is."""

    WALLET = "wallet"
    BYOK = "byok"
    PLAN_QUOTA = "plan_quota"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a bot may go with one message. Defaults: spec, `conversations.md`.

    Attributes:
        max_output_tokens: the output limit sent with each call (`max_tokens_per_turn`).
        timeout_s: the whole message, from the start of its turn until its answer, waiting for money included.
        max_cost_per_message: pico-dollars; None: no such limit.
        same_call_limit: the same tool with the same arguments this many times ends the loop.
        failing_calls_limit: this many failing tool calls in a row end it.
    """

    max_loop_iterations: int = 10
    max_tool_calls: int = 20
    max_output_tokens: int = 8192
    timeout_s: float = 30.0
    max_cost_per_message: Money | None = None
    same_call_limit: int = 3
    failing_calls_limit: int = 3
    max_tool_result_chars: int = 16_000


@dataclass(frozen=True, slots=True)
class ConversationRules:
    """How long a conversation is one, and how much of it a model sees.

    Attributes:
        scope: `user`: one conversation a user and channel; `channel`: one for everybody in it.
        max_messages: the most messages in the model's context.
        keep_messages: what is left after the window moved (low-water mark).
        context: `blocks` moves the window in one step down to `keep_messages`; `sliding` one message at a time;
            `auto` takes the cheapest marks between the two, by the model's price row and the bot's own traffic.
        banded: the operator gave both ends of the band; else only `max_messages` is their word.
        summarize: whether what is dropped goes on in a summary at the window's head.
    """

    scope: Literal["user", "channel"] = "user"
    ttl_ms: int = 24 * 3_600_000
    max_messages: int = 20
    keep_messages: int = 10
    context: Literal["auto", "blocks", "sliding"] = "auto"
    summarize: bool = False
    banded: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """What a bot says without asking a model. None: the default text where there is one."""

    welcome: str | None = None
    fallback: str | None = None
    cap_reached: str = "Bot has reached its spending limit."
    wallet_empty: str = "The bot's wallet is empty."
    quota_spent: str = "The bot's quota for this month is used up."
    allowance_spent: str = "You have reached your spending limit with this bot."
    conversation_spent: str = "This conversation has reached its spending limit."


@dataclass(frozen=True, slots=True)
class Access:
    """Who may talk to a bot. `groups`: answer when mentioned, always, or never."""

    allow_users: frozenset[str] = frozenset()
    deny_users: frozenset[str] = frozenset()
    groups: Literal["mention", "all", "off"] = "mention"


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A tool that is one HTTP request, declared in YAML.

    Attributes:
        url: with `{name}` places, filled with percent-encoded arguments.
        parameters: JSON schema of the arguments.
        headers: may hold secrets.
        allow_private: whether addresses of private networks may be called.
    """

    name: str
    description: str
    method: str
    url: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    timeout_s: float = 10.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class ToolServer:
    """An MCP server, which brings tools: a program that is started, or an address.

    Attributes:
        command: the program and its arguments; empty where there is a `url`.
        url: it may hold a secret.
        env: for the program; `headers`: for the address. Either may hold secrets.
        tools: those that may be used, by the server's own names; None: all.
        timeout_s: how long one call may take.
    """

    name: str
    command: tuple[str, ...] = ()
    url: Secret | None = None
    env: Mapping[str, Secret] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A named set of tool servers; its bots share one connection to each."""

    name: str
    servers: tuple[ToolServer, ...] = ()


@dataclass(frozen=True, slots=True)
class Teammate:
    """A bot that work is handed over to, and what it is for, in words for a model."""

    bot: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow that answers in place of the agent loop, as it was written; it was read and has no fault.

    Attributes:
        source: `{nodes, edges}` as JSON text.
        parts: the sub-workflows that it may use: name and JSON text of each.
    """

    source: str
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """One connection of a bot.

    Attributes:
        name: unique in the bot: the platform's name, with a number where there are several of one platform.
        config: the platform's own checked config object (adapters.<platform>.config); opaque here.
    """

    name: str
    platform: str
    config: Any


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and who serves it. `provider` is a key of the provider catalogue."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Tier:
    """A model under a name that rules speak of. `free`: it costs nothing; at its 429 the next tier is asked."""

    name: str
    choice: ModelChoice
    free: bool = False


@dataclass(frozen=True, slots=True)
class RouteRule:
    """When a message goes to a tier: everything that is given here holds.

    Attributes:
        tasks: the task declared with the message, one of these.
        min_chars: the message's length, at least; `max_chars`: at most.
        keywords: one of them stands in the message as a whole word, letter case aside.
        users: the sender, one of these (a "low intent" list, say).
        labels: what the classifier called the message, one of these.
    """

    tier: str
    tasks: frozenset[str] = frozenset()
    min_chars: int | None = None
    max_chars: int | None = None
    keywords: tuple[str, ...] = ()
    users: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Classifier:
    """A small model that names a message's kind, once a conversation where routes are sticky.

    Attributes:
        prompt: what it is told; the labels are added to it.
        labels: what it may answer; rules name them. Anything else counts as no label.
        tier: who is asked.
    """

    prompt: str
    labels: tuple[str, ...]
    tier: str


class Signal(StrEnum):
    """What a tier was not up to: a stated reason to go on with a stronger one."""

    FAILING_TOOLS = "failing_tools"
    LOOP_LIMIT = "loop_limit"
    OUTPUT_LIMIT = "output_limit"
    REFUSAL = "refusal"
    REPEATED_QUESTION = "repeated_question"
    KEYWORDS = "keywords"


@dataclass(frozen=True, slots=True)
class Escalation:
    """From the first of these signals on, the rest of the conversation goes to `tier`."""

    tier: str
    signals: frozenset[Signal]
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Which model answers what: the first rule that holds decides, else the task's tier, else `default`.

    Attributes:
        tiers: in the order of bots.yaml: after a free tier's 429 the next one is asked.
        default: a tier's name.
        tasks: declared task -> tier.
        sticky: a conversation stays with the tier that answered first (one model a conversation keeps its cache).
    """

    tiers: tuple[Tier, ...]
    default: str
    tasks: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[RouteRule, ...] = ()
    classifier: Classifier | None = None
    sticky: bool = True
    escalation: Escalation | None = None

    def tier(self, name: str) -> Tier | None:
        """The tier of that name."""
        return next((tier for tier in self.tiers if tier.name == name), None)


@dataclass(frozen=True, slots=True)
class ResponseCache:
    """Answers that are given again: to the same question, at no cost. `ttl_ms`: for how long."""

    ttl_ms: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A file of prompts that is handed in as a batch, by the clock.

    Attributes:
        prompts: the file, as bots.yaml names it: relative to that.
        period_ms: how often.
        offset_ms: when, from the beginning of a period; periods are counted from 1970-01-01T00:00Z.
    """

    name: str
    prompts: str
    period_ms: int
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Bot:
    """One bot, whole.

    Attributes:
        cap: all that it may ever spend; None: no cap (its spend is counted all the same).
        caps: more limits: by user, conversation, message, team, and by day or month.
        plan: whose quota pays, where `billing_mode` is plan_quota.
        transcription: who writes voice messages down; None: nobody.
        task: the task that its messages are declared as, where they say none themselves.
        routing: which model answers what; None: always `choice`.
        response_cache: whether an answer is kept for the same question; None: no.
        schedule: what is handed in as batches, by the clock.
        workspace: the tool servers whose tools it has besides `tools`; None: none.
        workflow: what answers in place of the agent loop; None: the loop.
        team: the bots that it may hand work over to, in the order of bots.yaml.
    """

    id: str
    name: str
    channels: tuple[Channel, ...]
    system_prompt: str
    choice: ModelChoice
    description: str = ""
    enabled: bool = True
    texts: Texts = Texts()
    limits: Limits = Limits()
    conversations: ConversationRules = ConversationRules()
    access: Access = Access()
    cap: Money | None = None
    caps: tuple[Cap, ...] = ()
    plan: Plan | None = None
    billing_mode: BillingMode = BillingMode.WALLET
    llm_api_key: Secret | None = None
    temperature: float | None = None
    tools: tuple[HttpTool, ...] = ()
    prompt_cache: Literal["auto", "off", "5m", "1h"] = "auto"
    rate_limit_per_minute: int | None = 60
    user_rate_limit_per_minute: int | None = None
    expose_usage: bool = False
    stream_replies: bool = True
    attachments: bool = True
    fallbacks: tuple[ModelChoice, ...] = ()
    transcription: ModelChoice | None = None
    task: str = ""
    routing: Routing | None = None
    response_cache: ResponseCache | None = None
    schedule: tuple[Schedule, ...] = ()
    workspace: Workspace | None = None
    workflow: Workflow | None = None
    team: tuple[Teammate, ...] = ()

    @property
    def cheap(self) -> ModelChoice:
        """The model for side work such as summaries: the tier named `small` where there is one, else its own."""
        small = None if self.routing is None else self.routing.tier("small")
        return self.choice if small is None else small.choice

    def key_for(self, provider: str) -> Secret | None:
        """The bot's own key, where it pays that provider itself; None: the runner's key."""
        own = self.billing_mode is BillingMode.BYOK and provider == self.choice.provider
        return self.llm_api_key if own else None
