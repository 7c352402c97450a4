"""Secrets of a fleet: shared values of the store that all its daemons have, encrypted with a key that all are given.

    shared value   secret/NAME    a Fernet token, as in a state folder's secrets.json (`secret_tokens`)
    the keys                      $BOTRUNNER_SECRETS_KEY or the credential botrunner-key

Rules: a state folder's own key file does not count here: the other daemons would not have it. Nothing is written under
a key that does not open what is there; a rotation tries the new key on every secret first, and until the last of them
is written all can be read, for the old keys stand behind the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.config.secret_keys import CREDENTIAL, KEY_VARIABLE, Keys, keys_from_outside
from runner.config.secret_store import SecretStore
from runner.config.secret_tokens import (
    Kept,
    NoNewKey,
    Rotation,
    check_secret,
    cipher_of,
    opened,
    sealed,
    set_at,
)
from runner.config.secrets import SecretsUnreadable
from runner.ports.sharing import SharedValues

PREFIX = "secret/"
_GIVEN = (KEY_VARIABLE, "CREDENTIALS_DIRECTORY")
KEY_MISSING = (
    f"there is no key: the daemons of a fleet are all given one, in ${KEY_VARIABLE} or as the credential {CREDENTIAL};"
    " `botrunner secret key` makes one"
)


def tokens_of(values: Mapping[str, str]) -> dict[str, str]:
    """Shared values as tokens, by the secrets' names."""
    return {key.removeprefix(PREFIX): token for key, token in values.items() if key.startswith(PREFIX)}


@dataclass(frozen=True, slots=True)
class TokenSecrets:
    """Secrets whose tokens are at hand. A `runner.config.secrets.Secrets`."""

    tokens: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)

    def names(self) -> list[str]:
        """The names, in order."""
        return sorted(self.tokens)

    def lookup(self, name: str) -> str | None:
        """The secret, or None where there is none of that name. Raises SecretsUnreadable."""
        token = self.tokens.get(name)
        return None if token is None else opened(cipher_of(needed_keys(self.environ)), name, token)


class SharedSecrets:
    """Kept for all daemons. All methods raise StoreError where the store cannot be asked."""

    def __init__(self, values: SharedValues, environ: Mapping[str, str], now_ms: Callable[[], int]) -> None:
        self._values = values
        self._environ = environ
        self._now_ms = now_ms

    async def tokens(self) -> dict[str, str]:
        """The tokens, by the secrets' names."""
        return tokens_of(await self._values.values(PREFIX, self._now_ms()))

    async def entries(self) -> list[Kept]:
        """All that are kept, by name; no key is needed."""
        return [Kept(name, set_at(token)) for name, token in sorted((await self.tokens()).items())]

    async def set(self, name: str, text: str) -> None:
        """Keep a secret, in place of the one of that name.

        Raises:
            ValueError: a name or a text that cannot be kept.
            SecretsUnreadable: there is no key, or another one than what is there was encrypted with.
        """
        check_secret(name, text)
        cipher = cipher_of(needed_keys(self._environ))
        for other, token in (await self.tokens()).items():
            opened(cipher, other, token)
        await self._values.put(PREFIX + name, sealed(cipher, name, text), self._now_ms())

    async def remove(self, name: str) -> bool:
        """Forget a secret; False where there was none."""
        return await self._values.drop(PREFIX + name)

    async def rotate(self) -> Rotation | NoNewKey:
        """Encrypt everything with the first of the keys. To be done by one at a time, while nobody sets a secret.

        Raises:
            SecretsUnreadable: a secret cannot be opened, or there is no key; nothing was changed.
        """
        keys = needed_keys(self._environ)
        if len(keys.texts) == 1:
            return NoNewKey(keys.source)
        cipher, tokens = cipher_of(keys), await self.tokens()
        for name, token in tokens.items():
            opened(cipher, name, token)
        for name in tokens:
            latest = (await self.tokens()).get(name)  # somebody may have set it meanwhile
            if latest is not None:
                await self._values.put(PREFIX + name, cipher.rotate(latest).decode(), self._now_ms())
        return Rotation(len(tokens), keys.source, len(keys.texts) - 1)


def texts_of(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a state folder keeps, opened: with the keys that were given, or else with the folder's own. By name.

    Raises:
        SecretsUnreadable: neither opens all of them.
    """
    try:
        return _opened(SecretStore(folder, environ))
    except SecretsUnreadable:
        own = {name: value for name, value in environ.items() if name not in _GIVEN}
        return _opened(SecretStore(folder, own))


def _opened(store: SecretStore) -> dict[str, str]:
    found = {name: store.lookup(name) for name in store.names()}
    return {name: text for name, text in found.items() if text is not None}


def needed_keys(environ: Mapping[str, str]) -> Keys:
    """The keys that all daemons are given. Raises SecretsUnreadable where there are none."""
    keys = keys_from_outside(environ)
    if keys is None:
        raise SecretsUnreadable(KEY_MISSING)
    return keys
