"""A connection with PostgreSQL, as all of the store use it.

    writers, control   they say something each second, and the SERVER ends them where they do not for 6 s: so a hung
                       daemon's locks go, whatever its machine thinks
    desk               rare work; may be silent for as long as it likes

Rules: what is set, is set after connecting (a pooler passes no startup parameters on); what we write is durable
before it is answered (`synchronous_commit`); a text never has NUL, which PostgreSQL cannot keep: it becomes U+FFFD at
this edge, and so do halves of surrogate pairs, so that no message is refused for ever.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from runner.errors import StoreError, StoreRefused
from runner.store.postgres.address import Address
from runner.store.postgres.faults import store_error
from runner.store.queries import Queries

OLDEST_SERVER = (14, 0)
CONNECT_S = 5.0
_STATEMENTS = 512
"""Prepared statements that a connection keeps; more than there are queries."""
_REPLACED: Final = "\ufffd"

TALKATIVE = {
    "idle_session_timeout": "6s",
    "idle_in_transaction_session_timeout": "4s",
    "lock_timeout": "5s",
    "statement_timeout": "8s",
    # Each of our queries is for a few rows by an index, whatever the statistics of a young table say.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""For a session that must be heard of each second."""
QUIET = {
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "8s",
    "lock_timeout": "10s",
    "statement_timeout": "120s",
}
"""For rare work. Who stops in the middle of it may hold what others wait for, or what tells that it is gone."""
READING = {**QUIET, "idle_in_transaction_session_timeout": "60s", "work_mem": "32MB"}
"""For long reads, which hold nobody up, and sort a year's users in memory."""
_ALWAYS = {
    "synchronous_commit": "on",
    "client_connection_check_interval": "500ms",
    "default_transaction_isolation": "read committed",
    "jit": "off",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "6s",
}

_WIRE = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 6000}
"""The same from our side: seconds, seconds, probes, milliseconds."""

if TYPE_CHECKING:
    _Plain = asyncpg.Connection[asyncpg.Record]
else:
    _Plain = asyncpg.Connection


class Connection(_Plain):
    """One session. `fetch`, `fetchrow`, `fetchval`, `execute` and `transaction` are asyncpg's."""

    __slots__ = ()

    async def _execute(self, query: str, args: Sequence[object], *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - as asyncpg's
        """The one way of every query with values."""
        kept = [keepable(value) for value in args]
        return await super()._execute(query, kept, *rest, **named)  # type: ignore[misc]  # the stubs leave it out

    def watch_wire(self) -> None:
        """Let the machine miss a server that vanished without a word, as it misses us: no wait is for ever then."""
        wire = self._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # as above
        if wire is None or wire.family not in (socket.AF_INET, socket.AF_INET6):
            return
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, setting in _WIRE.items():
            option = getattr(socket, name, None)  # not every system has all of them
            if option is not None:
                wire.setsockopt(socket.IPPROTO_TCP, option, setting)


def keepable(value: object) -> object:
    """A value, or an array of values, whose texts PostgreSQL can keep."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple) and _has_texts(value):
        return [keepable(one) for one in value]
    return value


def _has_texts(values: Iterable[object]) -> bool:
    """Whether there are texts in an array: the first that is not NULL tells."""
    return isinstance(next((value for value in values if value is not None), None), str | list | tuple)


def _text(value: str) -> str:
    if "\0" in value:
        value = value.replace("\0", _REPLACED)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


async def connect(address: Address, name: str, sql: Queries, settings: dict[str, str]) -> Connection:
    """A new session.

    Args:
        name: what the server's lists show: `botrunner/<daemon>`.
        settings: `TALKATIVE` or `QUIET`.

    Raises:
        StoreRefused: the server must not be used, or does not want us.
        StoreError: it cannot be reached now.
    """
    try:
        connection = await asyncpg.connect(
            address.url,
            timeout=CONNECT_S,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            target_session_attrs=SessionAttribute.read_write,
            connection_class=Connection,
        )
    except asyncpg.TargetServerAttributeNotMatched:
        raise StoreError(f"{address.shown} is a standby that takes no writes now") from None
    except (asyncpg.ClientConfigurationError, ValueError, OverflowError):  # the last two: a port that is none
        raise StoreRefused("the store's address cannot be read: postgresql://user@host/database") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise _unreached(address, error) from None
    try:
        check_server(connection)
        connection.watch_wire()
        await adopt(connection, name, sql, settings)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        connection.terminate()
        raise store_error(error) from None
    except BaseException:
        connection.terminate()
        raise
    return connection


async def adopt(connection: Connection, name: str, sql: Queries, settings: dict[str, str]) -> None:
    """Give a session its name and settings. Raises asyncpg's errors."""
    wanted = {**_ALWAYS, **settings, "application_name": name}
    query = sql["settings"]
    try:
        await connection.execute(query, list(wanted), list(wanted.values()))
    except asyncpg.InvalidParameterValueError:  # a system that cannot tell of a closed connection
        del wanted["client_connection_check_interval"]
        await connection.execute(query, list(wanted), list(wanted.values()))


def check_server(connection: Connection) -> None:
    """Raise StoreRefused where the server is too old, or keeps texts in another encoding than UTF-8."""
    version = connection.get_server_version()
    if (version.major, version.minor) < OLDEST_SERVER:
        raise StoreRefused(f"PostgreSQL {version.major} is too old: 14 is needed")
    encoding = getattr(connection.get_settings(), "server_encoding", "UTF8")
    if encoding != "UTF8":
        raise StoreRefused(f"the database keeps texts as {encoding}: create one with ENCODING 'UTF8'")


async def hang_up(connection: Connection) -> None:
    """End a session; at once where it does not answer."""
    try:
        await asyncio.wait_for(connection.close(), CONNECT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


def _unreached(address: Address, error: BaseException) -> StoreError:
    told = store_error(error)
    if isinstance(told, StoreRefused):
        return StoreRefused(f"{address.shown}: {told}")
    return StoreError(f"{address.shown} cannot be reached ({type(error).__name__})")
