"""The secrets of a fleet, as a file that is being read needs them: fetched from the store at the first use.

Rules: the database is asked once for each reading of the file, and only where the file refers to a secret; whoever
reads may be in the middle of anything, so it is asked in a thread with a loop of its own, and waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from runner.clock import SystemClock
from runner.config.secrets import Secrets, SecretsUnreadable
from runner.config.shared_secrets import SharedSecrets, TokenSecrets
from runner.errors import StoreError
from runner.store.catalogue import open_values

T = TypeVar("T")


class StoredSecrets:
    """A `runner.config.secrets.Secrets` on the database at an address. `lookup` raises StoreError, too."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self._url = url
        self._environ = environ
        self._read: TokenSecrets | None = None

    def lookup(self, name: str) -> str | None:
        """The secret, or None where there is none of that name. Raises SecretsUnreadable and StoreError."""
        if self._read is None:
            self._read = TokenSecrets(asked(self._url, self._environ, SharedSecrets.tokens), self._environ)
        return self._read.lookup(name)


class UnreachedSecrets:
    """The same where the database cannot be reached: each secret is one that cannot be read. `why`: for people."""

    def __init__(self, why: str) -> None:
        self._why = why

    def lookup(self, name: str) -> str | None:
        """Raises SecretsUnreadable."""
        raise SecretsUnreadable(self._why)


def asked(
    url: str,
    environ: Mapping[str, str],
    work: Callable[[SharedSecrets], Coroutine[Any, Any, T]],
    *,
    begin: bool = False,
) -> T:
    """Do something with the secrets of that database, and wait for it. `begin`: make the tables where there are none.

    Raises:
        StoreError: it cannot be reached; the text names host and database only.
        whatever `work` raises.
    """
    clock = SystemClock()

    async def connected() -> T:
        async with open_values(url, clock, begin=begin) as shared:
            return await work(SharedSecrets(shared.values, environ, shared.now_ms))

    with ThreadPoolExecutor(1, "secrets") as thread:
        return thread.submit(asyncio.run, connected()).result()


def secrets_at(url: str, environ: Mapping[str, str]) -> Secrets:
    """The secrets of the fleet whose store is there."""
    return StoredSecrets(url, environ)


def unreached(error: StoreError) -> Callable[[str, Mapping[str, str]], Secrets]:
    """As `secrets_at`, once it is known that they cannot be had."""
    return lambda _url, _environ: UnreachedSecrets(str(error))
