"""Traces, where the environment asks for them: OpenTelemetry's own variables, its library an extra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.clock import Clock
from runner.ports.observer import Observer

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

EXTRA = "botrunner[otel]"


def endpoint_of(environ: Mapping[str, str]) -> str | None:
    """Where traces are to go, `/v1/traces` included; None: nobody asks for them."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exact = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    common = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    return exact or (f"{common.rstrip('/')}/v1/traces" if common else None)


@contextmanager
def tracing(
    environ: Mapping[str, str], clock: Clock, logger: FilteringBoundLogger
) -> Iterator[tuple[Observer, ...]]:
    """Around the daemon's loop: who makes traces, if anybody. Without the extra it is told and goes on."""
    endpoint = endpoint_of(environ)
    if endpoint is None:
        yield ()
        return
    try:
        from runner.telemetry.traces import Traces, collected  # noqa: PLC0415 - an extra, and more memory
    except ModuleNotFoundError as error:
        logger.warning("traces are asked for, but not installed", install=EXTRA, missing=error.name)
        yield ()
        return
    traces = Traces(collected(endpoint, environ), clock)
    try:
        yield (traces,)
    finally:
        traces.close()
