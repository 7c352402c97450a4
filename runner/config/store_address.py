"""`store.url`, looked at before anything is connected to; and what else hangs on whether it is a fleet's.

    sqlite:…, a path, memory:      one daemon; `${secret:…}` are in its state folder
    postgresql://…                 a fleet; `${secret:…}` are in that very store, so the address cannot be one of them

Rule: an address may hold a password, so no message repeats any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from runner.config.document import read_document
from runner.config.findings import Findings
from runner.config.problems import Sealed
from runner.config.secrets import Missing, Sources, filled, names_secret
from runner.errors import StoreRefused
from runner.store.catalogue import sqlite_path
from runner.store.postgres.address import address_of, is_postgres

PLACE = ("store", "url")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_HINT = "write postgresql://user:${DB_PASSWORD}@host:5432/database?sslmode=verify-full"
_FROM_ITSELF = (
    "cannot be a ${secret:…}: the secrets of several daemons are kept in that very store; use ${VAR}, ${file:…} or"
    " ${credential:…}"
)


def with_fleet_secrets(data: Mapping[str, Any], findings: Findings, sources: Sources) -> Sources:
    """The same sources, with the secrets of the fleet where the file's store is one's. `data`: as it is written."""
    written = _written(data)
    if sources.fleet_secrets is None or written is None or written.startswith("sqlite:"):
        return sources
    if names_secret(written):
        findings.problem(PLACE, _FROM_ITSELF)
        findings.missing.add(PLACE)
        return sources
    try:
        url = filled(written, sources, Sealed())
    except Missing:
        return sources  # told where all references are followed
    return replace(sources, secrets=sources.fleet_secrets(url)) if is_postgres(url) else sources


def check_address(url: str | None, findings: Findings) -> None:
    """Find what is wrong with an address without connecting."""
    if url is None or url == "memory:":
        return
    wrong = wrong_with(url)
    if wrong:
        findings.problem(PLACE, wrong)


def wrong_with(url: str) -> str:
    """What is wrong with an address; empty: nothing."""
    try:
        if not is_postgres(url):
            sqlite_path(url, Path())
            return ""
        address_of(url)
    except StoreRefused as refused:
        return str(refused)
    parts = urlsplit(url)
    for host in parts.netloc.rpartition("@")[2].split(","):
        _, colon, port = host.rpartition("]")[2].rpartition(":")
        if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65_535):  # noqa: PLR2004 - what TCP has
            return f"has a port that is none: {_HINT}"
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[-1]
    if mode not in SSL_MODES:
        return f"has an sslmode that is none of {', '.join(SSL_MODES)}"
    return ""


def fleet_address(text: str, file: str, sources: Sources) -> str | None:
    """The address of the fleet's store that a file names, whatever else is wrong with the file; None: it names none.

    Raises:
        StoreRefused: its address cannot be made out, so nobody knows.
    """
    data = read_document(text, file).data
    written = _written(data) if isinstance(data, dict) else None
    if written is None or written.startswith("sqlite:"):
        return None
    if names_secret(written):
        raise StoreRefused(f"store.url {_FROM_ITSELF}")
    try:
        url = filled(written, sources, Sealed())
    except Missing as fault:
        raise StoreRefused(f"store.url: {fault}") from None
    if not is_postgres(url):
        return None
    if wrong := wrong_with(url):
        raise StoreRefused(f"store.url: {wrong}")
    return url


def _written(data: Mapping[str, Any]) -> str | None:
    """`store.url` with its references."""
    section = data.get("store")
    url = section.get("url") if isinstance(section, dict) else None
    return url if isinstance(url, str) else None
