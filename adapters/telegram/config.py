"""What may be written in the `platform_config` of a Telegram bot."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,128}")


class Config(BaseModel):
    """A bot of Telegram.

    Attributes:
        bot_token: what @BotFather gave: digits, a colon, letters.
        mode: how messages come in; `webhook` comes with a later version.
        webhook_secret: the secret-token header of webhook mode.
        commands: whether the menu of commands is set at each start; false leaves the one that @BotFather has.
        api_base_url: another Bot API server, without `/bot`.
        poll_timeout_s: how long Telegram holds a poll that has nothing to bring, seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bot_token: SecretStr
    mode: Literal["polling", "webhook"] = "polling"
    webhook_secret: SecretStr | None = None
    commands: bool = True
    api_base_url: str = Field(default="https://api.telegram.org", pattern=r"^https?://[^/\s?#@]+[^\s?#@]*$")
    poll_timeout_s: int = Field(default=30, ge=1, le=50)

    @property
    def account(self) -> str:
        """The bot's numeric id, which its token begins with."""
        return self.bot_token.get_secret_value().partition(":")[0]

    @field_validator("bot_token")
    @classmethod
    def _looks_like_one(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip()
        if not _TOKEN.fullmatch(stripped):
            raise ValueError("is no Telegram token: digits, a colon, then letters and digits")
        return SecretStr(stripped)

    @field_validator("mode")
    @classmethod
    def _polling_only(cls, mode: str) -> str:
        if mode == "webhook":
            raise ValueError("webhook comes with a later version; use polling")
        return mode

    @field_validator("api_base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")
