"""Values that the file only points at.

    ${VAR}  ${VAR:-default}   the environment; with a default also where VAR is empty
    ${file:/path}             the text of a file, without its last line break; relative: beside bots.yaml
    ${credential:NAME}        a file of $CREDENTIALS_DIRECTORY (systemd's LoadCredential=)
    ${secret:NAME}            the encrypted store
    $$                        a dollar sign

Rules: what is missing is a problem that names it, never an empty text; every value from outside is sealed;
what a value holds is never looked at for further `${`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.config.document import Plain
from runner.config.findings import Findings
from runner.config.problems import Path as Where
from runner.config.problems import Sealed

LARGEST_FILE = 8_388_608
_REFERENCE = re.compile(r"\$(?:\$|\{([^}]*)\})")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Secrets(Protocol):
    """The encrypted store, as far as the file needs it."""

    def lookup(self, name: str) -> str | None:
        """The secret of that name, or None where there is none. Raises `SecretsUnreadable`."""


class SecretsUnreadable(Exception):
    """The store of secrets is there but cannot be opened; the text says why, without a secret."""


class NoSecrets:
    """The store that nobody set up."""

    def lookup(self, name: str) -> str | None:
        """Nothing is in it."""
        return None


class Missing(Exception):
    """A reference that leads nowhere; the text is the problem's message."""


def read_text_file(path: Path) -> str:
    """The text of a small UTF-8 file. Raises OSError and ValueError."""
    with path.open("rb") as stream:
        raw = stream.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise ValueError("larger than 8 MiB")
    return raw.decode("utf-8")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from: all that loading needs of the world besides the file's own text.

    Attributes:
        environ: the environment variables.
        folder: where relative `${file:…}` paths start.
        secrets: the encrypted store.
        fleet_secrets: the encrypted store of a fleet, by the address of the file's own store; None: `secrets` anyway.
        read: reads a file; raises OSError or ValueError.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    secrets: Secrets = field(default_factory=NoSecrets)
    fleet_secrets: Callable[[str], Secrets] | None = None
    read: Callable[[Path], str] = read_text_file

    def resolve(self, reference: str, sealed: Sealed) -> str:
        """The value of what stands between `${` and `}`."""
        kind, colon, name = reference.partition(":")
        if colon and kind in {"file", "credential", "secret"}:
            value = self._stored(kind, name)
            sealed.add(value)
            return value
        match = _VARIABLE.fullmatch(reference)
        if match is None:
            raise Missing(f"${{{reference}}} is no reference; for a dollar sign write $$")
        variable, default = match.groups()
        value = self.environ.get(variable, "")
        if value or (default is None and variable in self.environ):
            sealed.add(value)
            return value
        if default is None:
            raise Missing(f"the environment variable {variable} is not set")
        return default

    def _stored(self, kind: str, name: str) -> str:
        if kind == "file":
            return self._file(self.folder / name, f"the file {name}")
        if not _NAME.fullmatch(name):
            raise Missing(f"${{{kind}:{name}}} does not name a {kind}")
        if kind == "credential":
            directory = self.environ.get("CREDENTIALS_DIRECTORY")
            if not directory:
                raise Missing(f"the credential {name} is not there: CREDENTIALS_DIRECTORY is not set")
            return self._file(Path(directory) / name, f"the credential {name}")
        try:
            secret = self.secrets.lookup(name)
        except SecretsUnreadable as fault:
            raise Missing(f"the secret {name} cannot be read: {fault}") from None
        if secret is None:
            raise Missing(f"there is no secret {name}")
        return secret

    def _file(self, path: Path, what: str) -> str:
        try:
            text = self.read(path)
        except OSError as fault:
            reason = os.strerror(fault.errno) if fault.errno else type(fault).__name__
            raise Missing(f"{what} cannot be read: {reason}") from None
        except ValueError:
            raise Missing(f"{what} is not a UTF-8 text of at most 8 MiB") from None
        return text.removesuffix("\n").removesuffix("\r")


def is_script(path: Where) -> bool:
    """Whether what stands there is JavaScript, or JSON with some in it, whose `${…}` are its own."""
    return path[-1:] == ("workflow_json",) or (path[-2:] == ("data", "code") and "nodes" in path)


def filled(text: str, sources: Sources, sealed: Sealed) -> str:
    """One text with its references followed. Raises Missing."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else sources.resolve(found[1], sealed), text)


def names_secret(text: str) -> bool:
    """Whether a text refers to the encrypted store."""
    return any((found[1] or "").startswith("secret:") for found in _REFERENCE.finditer(text))


def fill_in(data: Plain, findings: Findings, sources: Sources) -> Plain:
    """The document's values with all references followed; what is missing stays as it was written."""

    def followed(value: Plain, path: Where) -> Plain:
        if isinstance(value, str):
            return whole(value, path) if "$" in value and not is_script(path) else value
        if isinstance(value, dict):
            return {key: followed(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [followed(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def whole(text: str, path: Where) -> str:
        sealed = Sealed()
        try:
            value = filled(text, sources, sealed)
        except Missing as fault:
            findings.problem(path, str(fault))
            findings.missing.add(path)
            return text
        if sealed.texts:
            findings.sealed.texts.update(sealed.texts, {value})
        return value

    return followed(data, ())
