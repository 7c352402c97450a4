"""What each page of the dashboard shows, as plain values.

Rules: a view holds figures and texts, never HTML; money is pico-dollars, moments are Unix ms, days are UTC
(`2026-11-22`); texts may come from strangers and are escaped where they are written, in the templates; no view
holds a secret. Who fills a view decides what is shown; who renders it decides how.

    Frame            what all pages share         Overview   BotPage   Conversations   Transcript   ConsolePage
    + one page view  what this page shows         UsagePage  HandoffsPage  WalletPage  SettingsPage  LoginPage  Trouble
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from runner.advice.counsel import Advice
from runner.money.amounts import ZERO, Money
from runner.money.savings import NOTHING_SAVED, Savings
from runner.web.dashboard.batch_view import BatchRow
from runner.web.dashboard.figures import (
    NO_CACHE,
    NO_CAP,
    CacheFigures,
    Cap,
    Days,
    Figures,
    Share,
    Spend,
)
from runner.web.dashboard.fleet_view import DaemonRow
from runner.web.dashboard.flow_view import WorkflowCard
from runner.web.dashboard.wallet_view import WalletPage


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence on top of the page: what was done, or why it was not; `link`: words that lead to `href`."""

    kind: Literal["done", "warning", "error"]
    text: str
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages share.

    Attributes:
        csrf: the session's token; stands in each form.
        may_write: whether the session may change anything; where not, no form is shown.
        config_fault: why the last change of bots.yaml was not applied; None: it was.
        notices: what was done just now, or why it was not; `standing`: what is odd for as long as it is.
        handoffs_waiting: shown beside the navigation.
        seen: the number of changes that the page has seen (`runner.web.live`).
        signed_in: whether there is navigation at all.
    """

    now_ms: int
    csrf: str = ""
    may_write: bool = True
    signed_in: bool = True
    config_fault: str | None = None
    notices: tuple[Notice, ...] = ()
    standing: tuple[Notice, ...] = ()
    handoffs_waiting: int = 0
    version: str = ""
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """One channel of a bot: `state` is a ConnectionState's text; `why` one sentence."""

    channel: str
    state: str
    why: str = ""
    since_ms: int | None = None

    def pill(self) -> tuple[str, str]:
        """A kind (its colour and its sign) and a word."""
        return _CONNECTION_PILLS.get(self.state, ("off", self.state))


_CONNECTION_PILLS = {
    "refused": ("bad", "needs you"),
    "down": ("bad", "down"),
    "degraded": ("warn", "degraded"),
    "connecting": ("busy", "connecting"),
    "up": ("good", "connected"),
}
"""Worst first: a bot stands as its worst connection does."""


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest fault of a bot."""

    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class BotCard:
    """A bot in short. `spark`: pico-dollars of the last days, the oldest first."""

    id: str
    name: str
    provider: str
    model: str
    enabled: bool = True
    connections: tuple[Connection, ...] = ()
    cap: Cap = NO_CAP
    messages_today: int = 0
    waiting: int = 0
    spark: tuple[int, ...] = ()
    last_error: LastError | None = None

    def standing(self) -> tuple[str, str]:
        """The bot's pill: switched off, at its cap, or as its worst connection is."""
        if not self.enabled:
            return "off", "Switched off"
        if self.cap.limit is not None and self.cap.taken >= self.cap.limit:
            return "bad", "Cap reached"
        states = {line.state for line in self.connections}
        worst = next((pill for state, pill in _CONNECTION_PILLS.items() if state in states), None)
        if worst is None or worst[0] == "good":
            return "good", "Running"
        return worst[0], worst[1].capitalize()


@dataclass(frozen=True, slots=True)
class Overview:
    """`/`. `spend`: today, 7 days, 30 days. `days`: by bot. `config_path`: where bots are defined.

    `saved`: in the last of `spend`. `advice`: warnings first. `daemons`: where several share the store.
    """

    spend: tuple[Spend, ...]
    days: Days
    bots: tuple[BotCard, ...]
    messages_today: int = 0
    held: Money = ZERO
    config_path: str = "bots.yaml"
    saved: Savings = NOTHING_SAVED
    advice: tuple[Advice, ...] = ()
    daemons: tuple[DaemonRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what it is."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A bot's routing in words. `steps`: when, and which tier; `tiers`: a tier and its model, the weakest first."""

    steps: tuple[Fact, ...]
    tiers: tuple[Fact, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation in a list."""

    id: str
    user: str
    channel: str
    started_ms: int
    last_ms: int
    messages: int
    cost: Money
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class BotPage:
    """`/bots/{id}`: a bot over some days.

    Attributes:
        period: the days looked at, 7, 30, 90 or 365.
        days: spend by feature.
        limits: the bot's other limits, as they are.
        rules: which model answers what; None: the bot has one model.
        batches: the latest, the latest first.
        workflow: None: the agent loop answers.
        cap_fault: why the cap that was asked for was not taken; `cap_given`: what was asked for, in `cap_unit`.
    """

    bot: BotCard
    period: int
    total: Spend
    days: Days
    tokens_input: int = 0
    tokens_output: int = 0
    retries: int = 0
    models: tuple[Share, ...] = ()
    users: tuple[Share, ...] = ()
    routes: tuple[Share, ...] = ()
    cache: CacheFigures = NO_CACHE
    limits: tuple[Fact, ...] = ()
    conversations: tuple[ConversationRow, ...] = ()
    cap_fault: str = ""
    cap_given: str = ""
    cap_unit: Literal["usd", "cents"] = "usd"
    saved: Savings = NOTHING_SAVED
    advice: tuple[Advice, ...] = ()
    rules: Rules | None = None
    batches: tuple[BatchRow, ...] = ()
    workflow: WorkflowCard | None = None


@dataclass(frozen=True, slots=True)
class Conversations:
    """`/bots/{id}/conversations`: a page of them, the latest first. `older`: the next page's mark, None: the last."""

    bot_id: str
    bot_name: str
    rows: tuple[ConversationRow, ...]
    older: str | None = None


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool that was called; `arguments` and `result` as texts."""

    name: str
    arguments: str
    result: str
    latency_ms: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a transcript. `stop_reason` is empty where the answer simply ended."""

    role: Literal["user", "bot", "note"]
    text: str
    at_ms: int | None = None
    figures: Figures | None = None
    tools: tuple[ToolRun, ...] = ()
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """`/conversations/{id}`."""

    conversation: ConversationRow
    bot_id: str
    bot_name: str
    said: tuple[Said, ...]
    earlier: int = 0
    """Messages before the first that is shown."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a list to choose from."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """`/console?bot={id}`. `bot_id` None: there is no bot to talk to. `draft`: what was not taken, to try again."""

    bots: tuple[Choice, ...]
    bot_id: str | None = None
    said: tuple[Said, ...] = ()
    draft: str = ""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Usage of one group; `key` has one text for each grouping."""

    key: tuple[str, ...]
    cost: Money
    calls: int
    retries: int = 0
    tokens_input: int = 0
    tokens_output: int = 0
    cache_read: int = 0


@dataclass(frozen=True, slots=True)
class UsagePage:
    """`/usage`. `days`: the chart where usage is asked for by day; else bars of the dearest are drawn.

    `more`: whether there are rows that are not shown, but in the CSV. `fault`: why the question cannot be answered.
    `saved`: with all of it.
    """

    group_by: tuple[str, ...]
    from_day: str
    to_day: str
    rows: tuple[UsageRow, ...]
    total: UsageRow
    days: Days | None = None
    more: bool = False
    fault: str = ""
    saved: Savings = NOTHING_SAVED


@dataclass(frozen=True, slots=True)
class HandoffCard:
    """A question to a reviewer. `said`: the latest of its conversation. `state`: waiting, approved or rejected."""

    id: str
    bot_id: str
    bot_name: str
    user: str
    reason: str
    asked_ms: int
    conversation: str = ""
    said: tuple[Said, ...] = ()
    state: str = "waiting"
    decided_ms: int | None = None
    by: str = ""
    comment: str = ""

    def called(self, bot_name: str) -> HandoffCard:
        """The same, with what people call its bot."""
        return replace(self, bot_name=bot_name)


@dataclass(frozen=True, slots=True)
class HandoffsPage:
    """`/handoffs`: those that wait, and the latest that were decided."""

    waiting: tuple[HandoffCard, ...]
    decided: tuple[HandoffCard, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """`/bots/{id}/settings`: the values in force, or those given and their faults.

    Attributes:
        values: texts by field name (`name`, `llm_provider`, `llm_model`, `system_prompt`, `enabled` "true"/"false" …).
        faults: by the same names.
        revision: of bots.yaml as it was shown; a write over another one is refused.
        read_only: why nothing can be written; empty: it can.
    """

    bot_id: str
    bot_name: str
    values: Mapping[str, str]
    providers: tuple[str, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    read_only: str = ""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """`/login`. `token`: taken from the link, to be sent by the button. `after`: where to go then."""

    fault: str = ""
    token: str = ""
    after: str = "/"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error's page."""

    status: int
    title: str
    text: str


PageView = (
    Overview
    | BotPage
    | Conversations
    | Transcript
    | ConsolePage
    | UsagePage
    | HandoffsPage
    | WalletPage
    | SettingsPage
    | LoginPage
    | Trouble
)
