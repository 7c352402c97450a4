"""Logs: colours on a terminal, one JSON object a line otherwise, on standard error, where journald reads it.

Rules: ids on every line, never a secret, never a message's text above debug. The time is left to journald
where it takes the lines ($JOURNAL_STREAM). What libraries log passes here too, from `warning` up, with every
secret of bots.yaml cut out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from runner.lean import without

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
LEVEL_NAMES = tuple(_LEVELS)


def configure(
    level: str, stream: TextIO, environ: Mapping[str, str], secrets: Iterable[str] = ()
) -> FilteringBoundLogger:
    """Set the process's logging up, once, at start; returns the logger that the observer writes to.

    Args:
        level: one of `LEVEL_NAMES`.
        stream: usually standard error.
        secrets: texts that are cut out of what libraries log.
    """
    with without("rich"):  # 4 MiB and 0.2 s for tracebacks that are never drawn
        import structlog  # noqa: PLC0415 - not before it is known what to leave out
        import structlog.dev  # noqa: PLC0415

    processors: list[Processor] = [structlog.processors.add_log_level]
    if "JOURNAL_STREAM" not in environ:
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    if stream.isatty():
        colours = "NO_COLOR" not in environ
        processors.append(
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        )
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    factory = structlog.WriteLoggerFactory(file=stream)
    wrapper = structlog.make_filtering_bound_logger(_LEVELS[level])
    logger: FilteringBoundLogger = structlog.wrap_logger(
        factory(), processors=processors, wrapper_class=wrapper, cache_logger_on_first_use=True
    )
    root = logging.getLogger()
    root.handlers = [_Forward(logger, tuple(secrets))]
    root.setLevel(logging.WARNING)
    return logger


class _Forward(logging.Handler):
    """Hands the log lines of libraries on."""

    def __init__(self, logger: FilteringBoundLogger, secrets: tuple[str, ...]) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger
        self._secrets = tuple(sorted((text for text in secrets if text), key=len, reverse=True))

    def emit(self, record: logging.LogRecord) -> None:
        """One line; a traceback's last line is enough of a library's trouble."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(self._logger, level)("library", logger=record.name, message=text)
