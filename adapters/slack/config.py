"""What may be written in the `platform_config` of a Slack bot."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{3,250}")
_APP_TOKEN = re.compile(r"xapp-[A-Za-z0-9-]{3,250}")


class Config(BaseModel):
    """A bot of one Slack workspace.

    Attributes:
        bot_token: from OAuth & Permissions, begins with `xoxb-`.
        app_token: with the scope connections:write, begins with `xapp-`; given for Socket Mode.
        signing_secret: from Basic Information; given for the Events API, which posts to our webhook address.
        working_reaction: the emoji put on a question while it is worked on, where Slack shows no status.
        api_base_url: where the Web API is; its methods' names are put behind it. Socket Mode's address comes from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bot_token: SecretStr
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = Field(default=None, validate_default=True)
    working_reaction: str = Field(default="eyes", pattern=r"^[a-z0-9_+'-]{1,100}(::skin-tone-[2-6])?$")
    api_base_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://[^/\s?#@]+[^\s?#@]*$")

    @property
    def mode(self) -> Literal["socket", "events"]:
        """How messages come in."""
        return "events" if self.app_token is None else "socket"

    @field_validator("bot_token")
    @classmethod
    def _is_bot_token(cls, token: SecretStr) -> SecretStr:
        return _matching(token, _BOT_TOKEN, "is no bot token of Slack: xoxb-, then letters and digits")

    @field_validator("app_token")
    @classmethod
    def _is_app_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None:
            return None
        return _matching(token, _APP_TOKEN, "is no app-level token of Slack: xapp-, then letters and digits")

    @field_validator("signing_secret")
    @classmethod
    def _one_way_in(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "app_token" not in info.data:
            return secret  # that one is faulty and says so itself
        has_app_token = info.data["app_token"] is not None
        if secret is None:
            if not has_app_token:
                raise ValueError("give app_token for Socket Mode, or signing_secret for the Events API")
            return None
        if has_app_token:
            raise ValueError(
                "give either app_token (Socket Mode) or signing_secret (Events API), not both of them"
            )
        if not secret.get_secret_value().strip():
            raise ValueError("must not be blank")
        return SecretStr(secret.get_secret_value().strip())

    @field_validator("api_base_url")
    @classmethod
    def _with_slash(cls, url: str) -> str:
        return url.rstrip("/") + "/"


def _matching(token: SecretStr, form: re.Pattern[str], what: str) -> SecretStr:
    stripped = token.get_secret_value().strip()
    if not form.fullmatch(stripped):
        raise ValueError(what)
    return SecretStr(stripped)
