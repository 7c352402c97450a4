"""Secrets that are kept encrypted: what `${secret:NAME}` reads and `botrunner secret` writes.

    state folder/secrets.json     {"version": 1, "secrets": {NAME: Fernet token}}, mode 0600
    the key, first one found      $CREDENTIALS_DIRECTORY/botrunner-key
                                  $BOTRUNNER_SECRETS_KEY
                                  state folder/secrets.key, mode 0600, made with the first secret

Rules: a secret is in memory only while it is asked for; each token holds the secret's name too, so that one
cannot be put in another's place; the file is replaced in one step; a wrong key or a damaged file is told
apart from a missing secret. `cryptography` is imported when the first secret is read or written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.files import replace_file
from runner.config.secrets import SecretsUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

VERSION = 1
KEY_VARIABLE = "BOTRUNNER_SECRETS_KEY"
CREDENTIAL = "botrunner-key"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
LONGEST_SECRET = 65_536
_PRIVATE = 0o600


class SecretStore:
    """The secrets of one state folder."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def names(self) -> list[str]:
        """The names, in order. Raises SecretsUnreadable."""
        return sorted(self._tokens())

    def lookup(self, name: str) -> str | None:
        """The secret, or None where there is none of that name. Raises SecretsUnreadable."""
        token = self._tokens().get(name)
        if token is None:
            return None
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - megabytes that most daemons never need

        try:
            plain = self._cipher(make=False).decrypt(token.encode()).decode()
        except InvalidToken:
            raise SecretsUnreadable("it was encrypted with another key") from None
        owner, _, text = plain.partition("\n")
        if owner != name:
            raise SecretsUnreadable("it was stored under another name")
        return text

    def set(self, name: str, text: str) -> None:
        """Keep a secret, in place of the one of that name.

        Raises:
            ValueError: a name or a text that cannot be kept.
            SecretsUnreadable: the store is there but cannot be opened.
            OSError: it cannot be written.
        """
        if not NAME.fullmatch(name):
            raise ValueError("a secret's name is 1 to 100 letters, digits, _, . or -")
        if not text or len(text) > LONGEST_SECRET:
            raise ValueError(f"a secret is 1 to {LONGEST_SECRET} characters")
        tokens = self._tokens()
        tokens[name] = self._cipher(make=True).encrypt(f"{name}\n{text}".encode()).decode()
        self._write(tokens)

    def remove(self, name: str) -> bool:
        """Forget a secret; False where there was none. Raises SecretsUnreadable and OSError."""
        tokens = self._tokens()
        found = tokens.pop(name, None) is not None
        if found:
            self._write(tokens)
        return found

    @property
    def _file(self) -> Path:
        return self._folder / "secrets.json"

    @property
    def _key_file(self) -> Path:
        return self._folder / "secrets.key"

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
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"version": VERSION, "secrets": dict(sorted(tokens.items()))}, indent=1)
        replace_file(self._file, f"{text}\n".encode(), _PRIVATE)

    def _cipher(self, *, make: bool) -> Fernet:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - as in lookup

        try:
            return Fernet(self._key(make=make))
        except ValueError:
            raise SecretsUnreadable("the key of the secrets is no Fernet key") from None
        except OSError as fault:
            raise SecretsUnreadable(f"the key: {os.strerror(fault.errno or 0)}") from None

    def _key(self, *, make: bool) -> bytes:
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if directory and (credential := Path(directory) / CREDENTIAL).exists():
            return credential.read_bytes().strip()
        if given := self._environ.get(KEY_VARIABLE):
            return given.strip().encode()
        if not self._key_file.exists() and make:
            from cryptography.fernet import Fernet  # noqa: PLC0415 - as in lookup

            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self._key_file, Fernet.generate_key(), _PRIVATE)
        if not self._key_file.exists():
            raise SecretsUnreadable(f"there is no key: neither ${KEY_VARIABLE} nor {self._key_file}")
        if self._key_file.stat().st_mode & 0o077:
            raise SecretsUnreadable(f"{self._key_file} can be read by others: chmod 600 it")
        return self._key_file.read_bytes().strip()
