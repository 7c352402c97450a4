"""Where a database is: `postgresql://user:password@host:5432/database?sslmode=require`.

Rule: an address holds a password: it is shown without it, and no error repeats it. What is left out is what libpq's
variables say (PGUSER, PGPASSWORD, PGSSLMODE …), as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from runner.errors import StoreRefused

SCHEMES = ("postgresql", "postgres")


def is_postgres(url: str) -> bool:
    """Whether an address means this kind of store."""
    return url.partition(":")[0] in SCHEMES


@dataclass(frozen=True, slots=True)
class Address:
    """A database. `url` is never shown; `shown` may be."""

    url: str = field(repr=False)
    shown: str


def address_of(url: str) -> Address:
    """Read an address.

    Raises:
        StoreRefused: it names no database. The text does not repeat it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StoreRefused(
            "the store's address cannot be read: write postgresql://user@host/database"
        ) from None
    if "@" in parts.path:  # what stands before it was meant as a password: it must not be shown
        raise StoreRefused("the store's address cannot be read: write / and @ in a password as %2F and %40")
    if parts.scheme not in SCHEMES or not parts.path.strip("/"):
        raise StoreRefused("the store's address names no database: write postgresql://user@host/database")
    hosts = parts.netloc.rpartition("@")[2]
    return Address(url, f"{hosts or 'this machine'}{parts.path}")
