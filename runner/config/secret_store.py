"""Secrets that are kept encrypted: what `${secret:NAME}` reads and `botrunner secret` writes.

    state folder/secrets.json     {"version": 1, "secrets": {NAME: token}}, mode 0600 (`secret_tokens`)
    the keys                      see `secret_keys`

Rules: a secret is in memory only while it is asked for; both files are replaced in one step, and by one process at a
time; a wrong key or a damaged file is told apart from a missing secret, and nothing is written under a key that does
not open what is there. A new key is tried on every secret before it is written anywhere; until each of them is
encrypted with it the old one stands behind it, so that a crash at any moment leaves all of them readable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from runner.config.files import alone_in, owner_of, replace_file
from runner.config.secret_keys import KeyPlace, Keys
from runner.config.secret_tokens import (
    Kept,
    NoNewKey,
    Rotation,
    check_secret,
    cipher_of,
    new_key,
    opened,
    sealed,
    set_at,
)
from runner.config.secrets import SecretsUnreadable

VERSION = 1
_PRIVATE = 0o600


class SecretStore:
    """The secrets of one state folder."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._keys = KeyPlace(folder, environ)

    def names(self) -> list[str]:
        """The names, in order. Raises SecretsUnreadable."""
        return sorted(self._tokens())

    def entries(self) -> list[Kept]:
        """All that are kept, by name; no key is needed. Raises SecretsUnreadable."""
        return [Kept(name, set_at(token)) for name, token in sorted(self._tokens().items())]

    def lookup(self, name: str) -> str | None:
        """The secret, or None where there is none of that name. Raises SecretsUnreadable."""
        try:
            return self._read(name)
        except SecretsUnreadable:
            return self._read(name)  # a rotation may have come between the two files: both are read once more

    def set(self, name: str, text: str) -> None:
        """Keep a secret, in place of the one of that name.

        Raises:
            ValueError: a name or a text that cannot be kept.
            SecretsUnreadable: the store is there but cannot be opened.
            OSError: it cannot be written.
        """
        check_secret(name, text)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone_in(self._folder):
            tokens = self._tokens()
            cipher = cipher_of(self._needed() if tokens else self._keys.find() or self._made())
            for other, token in tokens.items():
                opened(cipher, other, token)
            tokens[name] = sealed(cipher, name, text)
            self._write(tokens)

    def remove(self, name: str) -> bool:
        """Forget a secret; False where there was none. Raises SecretsUnreadable and OSError."""
        if name not in self._tokens():
            return False
        with alone_in(self._folder):
            tokens = self._tokens()
            found = tokens.pop(name, None) is not None
            self._write(tokens)
        return found

    def rotate(self) -> Rotation | NoNewKey:
        """Encrypt everything with a new key: one of our own making, or the first of those from outside.

        Raises:
            SecretsUnreadable: a secret cannot be opened, or there is no key; nothing was changed.
            OSError: it cannot be written; everything can be read all the same.
        """
        if not self._folder.is_dir():
            raise SecretsUnreadable(self._keys.missing())
        with alone_in(self._folder):
            old, tokens = self._needed(), self._tokens()
            if not old.ours and len(old.texts) == 1:
                return NoNewKey(old.source)
            texts = (new_key(), *old.texts) if old.ours else old.texts
            cipher = cipher_of(Keys(texts, old.source, old.ours))
            for name, token in tokens.items():
                opened(cipher, name, token)
            renewed = {name: cipher.rotate(token).decode() for name, token in tokens.items()}
            if old.ours:
                self._keys.write(texts)
            self._write(renewed)
            if old.ours:
                self._keys.write(texts[:1])
        return Rotation(len(tokens), old.source, 0 if old.ours else len(old.texts) - 1)

    def _read(self, name: str) -> str | None:
        token = self._tokens().get(name)
        return None if token is None else opened(cipher_of(self._needed()), name, token)

    @property
    def _file(self) -> Path:
        return self._folder / "secrets.json"

    def _tokens(self) -> dict[str, str]:
        try:
            kept = json.loads(self._file.read_bytes())
            tokens = kept["secrets"]
            known = kept["version"] == VERSION and all(isinstance(t, str) for t in tokens.values())
        except FileNotFoundError:
            return {}
        except OSError as fault:
            raise SecretsUnreadable(f"{self._file}: {os.strerror(fault.errno or 0)}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            known, tokens = False, {}
        if not known:
            raise SecretsUnreadable(f"{self._file} is damaged or of a later version")
        return dict(tokens)

    def _write(self, tokens: Mapping[str, str]) -> None:
        text = json.dumps({"version": VERSION, "secrets": dict(sorted(tokens.items()))}, indent=1)
        replace_file(self._file, f"{text}\n".encode(), _PRIVATE, owner=owner_of(self._folder))

    def _needed(self) -> Keys:
        keys = self._keys.find()
        if keys is None:
            raise SecretsUnreadable(self._keys.missing())
        return keys

    def _made(self) -> Keys:
        return self._keys.write([new_key()])
