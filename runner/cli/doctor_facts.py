"""What the doctor looks at, as values: gathered by `doctor_gathering`, judged by `doctor_rules`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The state folder and the files in it that others may read."""

    path: str
    there: bool
    writable: bool
    mode: int
    readable_by_others: tuple[str, ...]
    free: int


@dataclass(frozen=True, slots=True)
class StuckSend:
    """A part of an answer that is not where it should be."""

    outbox: int
    bot: str
    channel: str
    state: str
    why: str
    late_ms: int = 0


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The store. `fault`: why it cannot be used, or what is wrong with it; `latest_ms`: its latest message.

    `is_database`: it is no file, but a database that daemons share.
    """

    path: str
    size: int = 0
    fault: str = ""
    behind: int = 0
    sends: tuple[StuckSend, ...] = ()
    unknown_calls: int = 0
    unknown_usd: str = "0.00"
    aside: tuple[str, ...] = ()
    latest_ms: int | None = None
    is_database: bool = False


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """A connection of the running daemon."""

    bot: str
    channel: str
    state: str
    why: str
    age_s: float


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """The daemon. `fault`: why it does not answer as it should; `url` empty: none runs.

    `files`: how many different bots.yaml are in force where several daemons share the store.
    """

    url: str = ""
    fault: str = ""
    lag_ms: float = 0.0
    store_fault: str = ""
    config_fault: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    links: tuple[LinkFacts, ...] = ()
    files: int = 1


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """What a bot's model calls of the last days took from the provider's cache.

    Attributes:
        after_pause: calls that came longer after the one before in their conversation than the cache lasts.
        prefix_tokens: about how long its system prompt and tools are.
        least_tokens: the smallest prefix that the model caches.
        mode: `prompt_cache` of the bot; `sliding`: its window moves with each message.
        hour: whether an hour's cache can be bought.
    """

    bot: str
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    after_pause: int
    prefix_tokens: int
    least_tokens: int
    mode: str
    sliding: bool
    hour: bool


@dataclass(frozen=True, slots=True)
class HostTime:
    """A host's clock beside ours: `skew_ms` is how far ours is ahead; None: it did not answer, `why` says so."""

    host: str
    skew_ms: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was gathered.

    Attributes:
        unpriced: bot and model of each enabled bot whose model has no price, with whether anything limits it.
        book_age_days: of the latest row of the price book; None: it has no dates.
        platforms: with --online, bot, channel and why, of those that did not take the credentials.
    """

    file: str
    now_ms: int
    folder: FolderFacts
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    secrets_fault: str = ""
    unpriced: tuple[tuple[str, str, bool], ...] = ()
    book_age_days: int | None = None
    store: StoreFacts | None = None
    daemon: DaemonFacts = DaemonFacts()
    caches: tuple[CacheFacts, ...] = ()
    hosts: tuple[HostTime, ...] = ()
    platforms: tuple[tuple[str, str, str], ...] = ()
