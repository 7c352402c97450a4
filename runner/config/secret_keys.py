"""The keys of the encrypted secrets: where they come from, and the file that we keep them in ourselves.

    the first one found   $CREDENTIALS_DIRECTORY/botrunner-key      systemd's
                          $BOTRUNNER_SECRETS_KEY                    an environment variable
                          state folder/secrets.key                  mode 0600, made with the first secret

Rules: each of them holds one Fernet key or several with blanks or line breaks between them: the first one encrypts,
any of them decrypts, so that a new key can stand before the old one while secrets go from one to the other. What
comes from outside is never written; our own file is replaced in one step and refused where others can read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.config.files import owner_of, replace_file
from runner.config.secrets import SecretsUnreadable

KEY_VARIABLE = "BOTRUNNER_SECRETS_KEY"
CREDENTIAL = "botrunner-key"
KEY_FILE = "secrets.key"
_PRIVATE = 0o600
_FOR_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in force, the one that encrypts first.

    Attributes:
        source: where they come from, for messages.
        ours: they stand in our own file, which may be written.
    """

    texts: tuple[bytes, ...] = field(repr=False)
    source: str
    ours: bool


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where the keys of one state folder are looked for."""

    folder: Path
    environ: Mapping[str, str]

    def find(self) -> Keys | None:
        """The keys; None where there are none anywhere.

        Raises:
            SecretsUnreadable: they are there, but cannot be read or should not be.
        """
        try:
            return keys_from_outside(self.environ) or self._file()
        except OSError as fault:
            raise SecretsUnreadable(f"the key: {os.strerror(fault.errno or 0)}") from None

    def write(self, texts: Sequence[bytes]) -> Keys:
        """Put these keys in our own file. Raises OSError."""
        content = b"".join(text + b"\n" for text in texts)
        replace_file(self._path, content, _PRIVATE, owner=owner_of(self.folder))
        return Keys(tuple(texts), str(self._path), ours=True)

    def missing(self) -> str:
        """What to say where there is no key."""
        return f"there is no key: neither ${KEY_VARIABLE} nor {self._path}"

    @property
    def _path(self) -> Path:
        return self.folder / KEY_FILE

    def _file(self) -> Keys | None:
        if not self._path.exists():
            return None
        if self._path.stat().st_mode & _FOR_OTHERS:
            raise SecretsUnreadable(f"{self._path} can be read by others: chmod 600 it")
        return _keys(self._path.read_bytes(), str(self._path), ours=True)


def keys_from_outside(environ: Mapping[str, str]) -> Keys | None:
    """The keys that we were given, apart from any state folder; None: none.

    Raises:
        SecretsUnreadable: they are there, but cannot be read.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and (credential := Path(directory) / CREDENTIAL).exists():
        try:
            content = credential.read_bytes()
        except OSError as fault:
            raise SecretsUnreadable(f"the key: {os.strerror(fault.errno or 0)}") from None
        return _keys(content, f"the credential {CREDENTIAL}", ours=False)
    given = environ.get(KEY_VARIABLE)
    return _keys(given.encode(), f"${KEY_VARIABLE}", ours=False) if given else None


def _keys(content: bytes, source: str, *, ours: bool) -> Keys:
    texts = tuple(content.split())
    if not texts:
        raise SecretsUnreadable(f"{source} is empty: there is no key in it")
    return Keys(texts, source, ours)
