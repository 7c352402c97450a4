"""What a good bots.yaml means to the daemon: checked, complete, nothing left to parse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runner.bots import Bot, Secret, Workspace
from runner.config.problems import Problem
from runner.money.prices import PriceBook
from runner.money.terms import Plan, WalletTerms
from runner.ports.knowledge import Collection


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The HTTP server. `jwt_secret` None: one is made and kept in the state folder."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    jwt_secret: Secret | None = None
    stop_timeout_s: float = 25.0


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider that a bot uses or the file names.

    Attributes:
        name: what `llm_provider` says.
        kind: which protocol it speaks.
        base_url: None: the provider's own.
        api_key: None where it needs none, or each of its bots brings one.
        account_id: Workers AI only.
    """

    name: str
    kind: Literal["openai", "anthropic", "echo"]
    base_url: str | None = None
    api_key: Secret | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class AlertWebhook:
    """Who is told of limits that are being used up.

    Attributes:
        url: http or https; it may hold a secret in its path.
        secret: signs what is posted; None: it is not signed.
    """

    url: Secret
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the file says.

    Attributes:
        store_url: as written, or `sqlite:botrunner.db`; a relative path starts at `state_dir`; may hold a password.
        providers: by the name that bots use; each one that an enabled bot uses is there.
        prices: the chosen book with the operator's rows.
        alerts: None: nobody is posted to.
        wallet: None: the wallet limits nothing before something was paid in.
        knowledge: files that workflows may look things up in, by the collection's name.
        bots: in the file's order, disabled ones included.
    """

    server: ServerSettings
    store_url: str = field(repr=False)
    state_dir: Path
    retention_days: int
    providers: Mapping[str, ProviderSettings]
    prices: PriceBook
    plans: Mapping[str, Plan]
    workspaces: Mapping[str, Workspace]
    reload: bool
    bots: tuple[Bot, ...]
    alerts: AlertWebhook | None = None
    wallet: WalletTerms | None = None
    knowledge: Mapping[str, Collection] = field(default_factory=dict)

    def bot(self, bot_id: str) -> Bot | None:
        """The bot of that id."""
        return next((bot for bot in self.bots if bot.id == bot_id), None)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that can be used, and what is odd about it all the same."""

    settings: Settings
    warnings: tuple[Problem, ...] = ()
