"""What PostgreSQL's and asyncpg's errors mean to us.

    wrong user, password, database, rights at the start    StoreRefused: trying again is useless
    the connection is gone                                 `is_lost`: what was under way may have been done
    deadlock, serialization, lock time-out                 `is_passing`: nothing was done; the same again may work
    all else                                               StoreError: nothing was done

Rule: our texts hold a host's name at most, never an address, a password or a row's values.
"""

from __future__ import annotations

import asyncpg

from runner.errors import StoreError, StoreRefused

_NAMED = {
    asyncpg.InvalidPasswordError: "the database does not take that user and password",
    asyncpg.InvalidAuthorizationSpecificationError: "the database does not let that user in",
    asyncpg.InvalidCatalogNameError: "there is no database of that name: create it first",
    asyncpg.InsufficientPrivilegeError: "the user lacks rights in the database: make it the database's owner",
}
_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InternalClientError,
    ConnectionError,
    OSError,
    TimeoutError,
)
_PASSING = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no more use, and whatever was asked last may have been done or not."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # which is a value that asyncpg cannot even send
    return isinstance(error, _GONE)


def is_passing(error: BaseException) -> bool:
    """Whether the transaction was undone for others' sake, so that the same once more is worth it."""
    return isinstance(error, _PASSING)


def store_error(error: BaseException) -> StoreError:
    """The same in our words."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None  # the values of a row, where whoever shows an error shows its causes, too
    for kind, words in _NAMED.items():
        if isinstance(error, kind):
            return StoreRefused(words)
    if isinstance(error, asyncpg.DataError | ValueError | OverflowError):
        return StoreError("the store cannot keep a value as it is")
    if is_lost(error):
        return StoreError("the database cannot be reached, or the connection with it broke")
    return StoreError(f"the store could not do it: {type(error).__name__}")


def in_our_words(error: Exception) -> Exception:
    """An error out of a transaction: the database's as StoreError, a rule's (IllegalStep …) as it is.

    The same error MUST NOT be raised from itself: who shows errors with their causes may not come to an end.
    """
    theirs = asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError | OSError
    return store_error(error) if isinstance(error, theirs) else error
