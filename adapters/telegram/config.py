"""What may be written in the `platform_config` of a Telegram bot."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from adapters.signatures import sha256_hex

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,128}")


class Config(BaseModel):
    """A bot of Telegram.

    Attributes:
        bot_token: what @BotFather gave: digits, a colon, letters.
        mode: how messages come in. `polling`: we ask Telegram. `webhook`: Telegram posts to server.public_url.
        webhook_secret: what proves in webhook mode that a post is Telegram's; None: made of the token.
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

    @property
    def needs_public_url(self) -> bool:
        """Whether the platform has to reach us."""
        return self.mode == "webhook"

    @property
    def secret_token(self) -> str:
        """What Telegram brings with each post: the user's own secret, else one made of the token."""
        if self.webhook_secret is not None:
            return self.webhook_secret.get_secret_value()
        return sha256_hex(self.bot_token.get_secret_value(), b"webhook secret token")

    @field_validator("bot_token")
    @classmethod
    def _looks_like_one(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip()
        if not _TOKEN.fullmatch(stripped):
            raise ValueError("is no Telegram token: digits, a colon, then letters and digits")
        return SecretStr(stripped)

    @field_validator("webhook_secret")
    @classmethod
    def _as_telegram_takes_it(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _SECRET.fullmatch(secret.get_secret_value()):
            raise ValueError("must be 1 to 256 letters, digits, _ and -")
        return secret

    @field_validator("api_base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")
