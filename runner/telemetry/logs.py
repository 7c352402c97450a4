"""Logs: colours on a terminal, one JSON object a line otherwise, on standard error, where journald reads it.

Rules: ids on every line, never a secret, never a message's text above debug. The time is left to journald
where it takes the lines ($JOURNAL_STREAM names this very stream). What libraries log or warn of passes here too, from
`warning` up. Secrets are cut out of every line, whoever wrote it. A log that cannot be written (a full disk, a
closed pipe) stops nobody's work.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

from runner.lean import without

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

SHORTEST_SECRET = 4
"""Characters: what is shorter is found in every other word and cannot be cut out."""
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
LEVEL_NAMES = tuple(_LEVELS)


def configure(
    level: str, stream: TextIO, environ: Mapping[str, str], cut: Cut | None = None
) -> FilteringBoundLogger:
    """Set the process's logging up, once, at start; returns the logger that the observer writes to.

    Args:
        level: one of `LEVEL_NAMES`.
        stream: usually standard error.
        cut: cuts secrets out of every line.
    """
    with without("rich"):  # 4 MiB and 0.2 s for tracebacks that are never drawn
        import structlog  # noqa: PLC0415 - not before it is known what to leave out
        import structlog.dev  # noqa: PLC0415

    processors: list[Processor] = [structlog.processors.format_exc_info, cut or Cut()]
    processors.append(structlog.processors.add_log_level)
    if not _is_journal(stream, environ):
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    if stream.isatty():
        colours = not environ.get("NO_COLOR")
        processors.append(
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        )
    else:
        processors.append(structlog.processors.JSONRenderer())
    wrapper = structlog.make_filtering_bound_logger(_LEVELS[level])
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream), processors=processors, wrapper_class=wrapper, cache_logger_on_first_use=True
    )
    root = logging.getLogger()
    root.handlers = [_Forward(logger)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return logger


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether it is this stream that journald reads: systemd's children inherit the variable, wherever they write."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class _Lines:
    """Writes line by line. A stream's faults are nobody's business: the disk is full, or whoever read is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Write it, if it can be written."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = write


class Cut:
    """Cuts secrets out of all texts of a line, also as they stand in a URL."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._plain: set[str] = set()
        self._by_length: tuple[list[str], list[int]] = ([], [])
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Cut these out too: a secret that was replaced may still be in what runs."""
        plain = self._plain | {text for text in secrets if len(text) >= SHORTEST_SECRET}
        if plain == self._plain:
            return
        forms = plain | {quote(text, safe="") for text in plain} | {repr(text)[1:-1] for text in plain}
        self._plain = plain
        ordered = sorted(forms, key=len)
        self._by_length = (ordered, [len(secret) for secret in ordered])  # one step: other threads log, too

    def __call__(self, logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        """The line without them."""
        return {name: self._clean(value) for name, value in line.items()}

    def _clean(self, value: object) -> object:
        if isinstance(value, int | float | None):
            return value
        text = str(value)
        secrets, lengths = self._by_length
        fitting = bisect_right(lengths, len(text))  # ids are shorter than keys: of a thousand, none is tried
        for secret in reversed(secrets[:fitting]):
            text = text.replace(secret, "***")
        return text


class _Forward(logging.Handler):
    """Hands the log lines of libraries on."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """One line; a traceback's last line is enough of a library's trouble."""
        try:
            text = record.getMessage()
        except (
            TypeError,
            ValueError,
            KeyError,
        ):  # arguments that do not fit: the library's fault, not its callers'
            text = f"{record.msg} {record.args}"
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(self._logger, level)("library", logger=record.name, message=text)
