"""What the calls about bots take and give.

Rule: names and kinds are those of the bot API that existing clients know; what is more than it has comes behind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from adapters.contract import ConnectionState
from runner.agent.wellformed import well_formed
from runner.web.api.health_models import HealthShown
from runner.web.calls import Fields, Shown

MAX_MESSAGE = 100_000
MAX_ID = 256

BotStatus = Literal["active", "inactive", "error"]
"""`active`: it answers. `inactive`: it is switched off. `error`: a platform refuses its connection."""


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _without_nul(text: str) -> str:
    if text != well_formed(text):
        raise ValueError("must be Unicode text without NUL")
    return text


class Message(Fields):
    """Something that is said to a bot.

    `user_id`: who says it; each has conversations of their own. `task`: what it is declared as, for the bot's routing
    and the ledger; empty: as the bot's messages are.
    """

    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE), AfterValidator(_said)]
    user_id: Annotated[
        str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_said), AfterValidator(_without_nul)
    ] = "console"
    task: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,64}$")] = ""


class BotLine(Shown):
    """A bot in a list. Amounts are exact decimal texts in US dollars; times are ISO 8601 in UTC.

    `connection`: the worst state of its channels; null where it is switched off. `held_usd`: set aside for calls that
    run. `unknown_usd`: set aside for calls of which nobody knows whether they were charged. Both stand against the cap.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    slug: str
    platform: str | None
    status: BotStatus
    enabled: bool
    connection: ConnectionState | None
    llm_provider: str
    llm_model: str
    billing_mode: str
    created_at: str | None
    updated_at: str | None
    last_active_at: str | None
    conversation_count: int
    spent_usd: str
    held_usd: str
    unknown_usd: str
    spending_cap_cents: int | None


class BotList(Shown):
    """All bots, in the order of bots.yaml."""

    bots: list[BotLine]


class ConnectionLine(Shown):
    """How one channel is connected.

    Where several daemons share the store: how it is on all of them together; `held_by`: the daemon that holds it, null
    where each has a connection of its own.
    """

    bot: str
    channel: str
    platform: str
    state: ConnectionState
    why: str
    since_ms: int
    since: str
    held_by: str | None = None


class ToolServerLine(Shown):
    """A server of tools. `tools`: what models call those that can be used now; `why`: what is wrong, if anything."""

    name: str
    tools: list[str]
    why: str


class BotNow(BotLine):
    """A bot with its connections. `waiting`: messages that are accepted and not answered."""

    connections: list[ConnectionLine]
    tool_servers: list[ToolServerLine]
    waiting: int


class DaemonLine(Shown):
    """One of the daemons that share the store, as it said of itself a second ago.

    `name`: its machine and process. `here`: it gave this answer. `ended_at`: when it left or was found gone; such a one
    is told of for an hour. `holds`: what it alone does: connections as `bot/channel`, scheduled work as `work …`.
    `lanes`: conversations that it works on; `waiting`: messages that it knows to wait.
    """

    id: int
    name: str
    version: str
    state: Literal["alive", "gone"]
    here: bool
    started_at: str
    seen_at: str
    ended_at: str | None
    url: str
    connections: int
    connections_up: int
    holds: list[str]
    lanes: int
    waiting: int
    lag_ms: int
    config: str


class FleetStatus(Shown):
    """The daemons that share the store. `files`: how many different bots.yaml they have in force: 1, if all is well."""

    daemons: list[DaemonLine]
    files: int


class DaemonStatus(Shown):
    """The daemon and all its bots. `loop_lag_ms`: the longest that anything had to wait for its turn lately.

    `fleet`: all daemons that share the store; null where the store has one only.
    """

    pid: int
    started_at: str
    bots: list[BotNow]
    outbox: dict[str, int]
    possibly_doubled: int
    loop_lag_ms: float
    health: HealthShown
    fleet: FleetStatus | None = None


class Switched(Shown):
    """A bot was switched on or off. `webhook_url`: where its platform, or anybody, posts to, if it takes posts."""

    status: BotStatus
    webhook_url: str | None = None


class ToolRun(Shown):
    """A tool that the bot used."""

    model_config = ConfigDict(extra="allow")

    toolName: str  # noqa: N815 - the name that clients know
    arguments: Any
    result: Any
    latencyMs: int  # noqa: N815 - as above
    success: bool


class Said(Shown):
    """What a bot answered, and what that took. A command such as /help takes no model: it has no figures."""

    model_config = ConfigDict(extra="allow")

    response: str
    tool_calls: list[ToolRun] | None = None
    tokens: dict[str, int] | None = None
    token_breakdown: dict[str, int] | None = None
    cost_cents: int | None = None
    cost_usd: str | None = None
    latency_ms: int | None = None
    loop_iterations: int | None = None
    conversation_id: str | None = None
    route: dict[str, Any] | None = None
