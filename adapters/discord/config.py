"""What may be written in the `platform_config` of a Discord bot."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_TOKEN = re.compile(r"([A-Za-z0-9_-]{2,64})={0,2}\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{3,128}")


class Config(BaseModel):
    """A bot of Discord.

    Attributes:
        bot_token: from the developer portal, page Bot.
        application_id: from the page General Information; None: asked of Discord.
        public_key: from the same page, 64 hex digits; interactions are signed with it.
        mode: how messages come in. `gateway`: one connection, hears direct messages, mentions, replies,
            threads and commands. `interactions`: Discord posts `/ask` and the other commands to our address.
        shards: how many connections share the servers; None: as many as Discord recommends.
        message_content: whether to ask for the texts of messages that do not mention the bot, which has to
            be allowed in the portal; without it, direct messages, mentions and commands are heard.
        commands: whether `/ask`, `/reset`, `/help` and `/usage` are registered at start.
        backfill_minutes: how far back to look, after a start or a gap, for messages that were missed.
        api_base_url: another API server, with its version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bot_token: SecretStr
    application_id: str | None = Field(default=None, pattern=r"^[0-9]{5,20}$", coerce_numbers_to_str=True)
    public_key: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    mode: Literal["gateway", "interactions"] = "gateway"
    shards: int | None = Field(default=None, ge=1, le=1024)
    message_content: bool = True
    commands: bool = True
    backfill_minutes: int = Field(default=60, ge=0, le=1440)
    api_base_url: str = Field(
        default="https://discord.com/api/v10", pattern=r"^https?://[^/\s?#@]+[^\s?#@]*$"
    )

    @property
    def account(self) -> str:
        """The bot's numeric id, which its token begins with."""
        return _account(self.bot_token.get_secret_value()) or ""

    @property
    def needs_public_url(self) -> bool:
        """Whether Discord posts to us."""
        return self.mode == "interactions"

    @field_validator("bot_token")
    @classmethod
    def _looks_like_one(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip().removeprefix("Bot ").strip()
        if _account(stripped) is None:
            raise ValueError("is no Discord bot token: three parts with dots between, the first the bot's id")
        return SecretStr(stripped)

    @field_validator("api_base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _can_check_signatures(self) -> Self:
        if self.mode == "interactions" and self.public_key is None:
            raise ValueError("mode interactions needs the public_key that Discord signs with")
        return self


def _account(token: str) -> str | None:
    """The id that a token begins with, or None where it is no token."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    try:
        number = urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
    except ValueError:
        return None
    return number if number.isascii() and number.isdigit() else None
