"""Every secret that the file holds, for whoever has to keep them out of what is written down. Pure.

Rule: it looks through all there is rather than at fields by name, so that no new field is forgotten; an address of a
database is no secret, but the password in it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from runner.bots import Secret
from runner.config.settings import Settings
from runner.store.postgres.address import is_postgres


def secrets_of(settings: Settings) -> frozenset[str]:
    """The texts of all secrets, wherever in the settings they are."""
    return frozenset(_found(settings))


def passwords_in(text: str) -> Iterator[str]:
    """The password of a database's address, as it stands there and as it is meant; nothing where the text is none."""
    if is_postgres(text):
        written = urlsplit(text)
        for password in (written.password or "", *parse_qs(written.query).get("password", ())):
            yield from {password, unquote(password)}


def _found(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever settings are made of
    match value:
        case Secret():
            yield value.reveal()
        case SecretStr():
            yield value.get_secret_value()
        case str():
            yield from passwords_in(value)
        case BaseModel():
            yield from _all(getattr(value, name) for name in type(value).model_fields)
        case Mapping():
            yield from _all(value.values())
        case tuple() | list() | set() | frozenset():
            yield from _all(value)
        case _ if is_dataclass(value):
            yield from _all(getattr(value, each.name) for each in fields(value))
        case _:
            return


def _all(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from _found(value)
