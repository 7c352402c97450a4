"""A secret as it is kept anywhere: a Fernet token that holds its name and its text.

Rules: the name inside keeps one token from being put in another's place; a wrong key is told apart from a missing
secret. `cryptography` is imported when the first secret is read or written.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.config.secret_keys import Keys
from runner.config.secrets import SecretsUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
LONGEST_SECRET = 65_536
_TIME = slice(1, 9)
"""Where in a Fernet token its time stands, in seconds; it is not encrypted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret that is kept; `set_at_s`: Unix seconds, None where its token is damaged."""

    name: str
    set_at_s: int | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """Every secret is encrypted with the first key now.

    Attributes:
        secrets: how many there are.
        source: where the keys come from.
        old_keys: how many further keys stand there, which nothing needs any more.
    """

    secrets: int
    source: str
    old_keys: int = 0


@dataclass(frozen=True, slots=True)
class NoNewKey:
    """Nothing was done: the key comes from outside, where only its owner can put a new one before it."""

    source: str


def check_secret(name: str, text: str) -> None:
    """Raise ValueError for a name or a text that cannot be kept."""
    if not NAME.fullmatch(name):
        raise ValueError("a secret's name is 1 to 100 letters, digits, _, . or -")
    if not text or len(text) > LONGEST_SECRET:
        raise ValueError(f"a secret is 1 to {LONGEST_SECRET} characters")


def new_key() -> bytes:
    """A key of our own making."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - megabytes that most daemons never need

    return Fernet.generate_key()


def cipher_of(keys: Keys) -> MultiFernet:
    """What encrypts with the first key and decrypts with any. Raises SecretsUnreadable."""
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - as in new_key

    try:
        return MultiFernet([Fernet(text) for text in keys.texts])
    except ValueError:
        raise SecretsUnreadable(f"{keys.source} holds what is no Fernet key") from None


def sealed(cipher: MultiFernet, name: str, text: str) -> str:
    """The token of a secret."""
    return cipher.encrypt(f"{name}\n{text}".encode()).decode()


def opened(cipher: MultiFernet, name: str, token: str) -> str:
    """The secret in a token. Raises SecretsUnreadable."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as in new_key

    try:
        plain = cipher.decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretsUnreadable(f"{name} was encrypted with another key") from None
    owner, _, text = plain.partition("\n")
    if owner != name:
        raise SecretsUnreadable(f"{name} was stored under another name")
    return text


def set_at(token: str) -> int | None:
    """When it was made, Unix seconds; None where it is damaged."""
    try:
        raw = urlsafe_b64decode(token)
    except ValueError:
        return None
    return int.from_bytes(raw[_TIME]) if len(raw) >= _TIME.stop else None
