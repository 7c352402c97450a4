"""What may be written in the `platform_config` of a WhatsApp bot."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator


def _text(value: object) -> object:
    """A number that was written without quotes is as good as a text of digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Config(BaseModel):
    """A business phone number of the Cloud API.

    Attributes:
        phone_number_id: Meta's id of the number, not the number.
        access_token: of a system user with `whatsapp_business_messaging`; it does not run out.
        verify_token: a text of one's own; Meta repeats it when the webhook's address is set.
        app_secret: the app's, which signs each webhook.
        graph_version: the version of the Graph API that is called.
        api_base_url: another server in place of Meta's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    phone_number_id: Annotated[str, BeforeValidator(_text)] = Field(pattern=r"^[0-9]{1,32}$")
    access_token: SecretStr
    verify_token: SecretStr
    app_secret: SecretStr
    graph_version: str = Field(default="v23.0", pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$")
    api_base_url: str = Field(default="https://graph.facebook.com", pattern=r"^https?://[^/\s?#@]+[^\s?#@]*$")

    @property
    def account(self) -> str:
        """Whose messages these are."""
        return self.phone_number_id

    @field_validator("access_token", "verify_token", "app_secret")
    @classmethod
    def _not_blank(cls, secret: SecretStr) -> SecretStr:
        stripped = secret.get_secret_value().strip()
        if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
            raise ValueError("must be letters, digits and signs without spaces")
        return SecretStr(stripped)

    @field_validator("api_base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")
