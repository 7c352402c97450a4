"""What may be written in the `platform_config` of a custom bot."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator


class Config(BaseModel):
    """A bot that is reached by HTTP.

    Attributes:
        secret: what a caller proves to know, as a bearer token or by an HMAC of the body; without one only
            this machine is served.
        reply_url: where answers are posted to, signed with the secret; a request is then answered at once.
        answer_timeout_s: how long a request waits for its answer before it is told to ask again, seconds.
        api_base_url: taken because every platform takes it; nothing is called here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret: SecretStr | None = None
    reply_url: str | None = Field(
        default=None, pattern=r"^https?://[^/\s?#@]+(/[^\s#]*)?$", max_length=2000, repr=False
    )
    answer_timeout_s: float = Field(default=70.0, gt=0, le=600)
    api_base_url: str | None = None

    @field_validator("secret")
    @classmethod
    def _not_blank(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().strip():
            raise ValueError("must not be blank; leave it out to serve this machine only")
        return secret

    @field_validator("reply_url")
    @classmethod
    def _signed(cls, reply_url: str | None, info: ValidationInfo) -> str | None:
        if reply_url is not None and info.data.get("secret") is None:
            raise ValueError("needs a secret, which signs what is posted there")
        return reply_url
