"""Traces, for who collects them: a span for each turn, one below it for each call of a model, by OpenTelemetry.

    invoke_agent support      from the message that was accepted to its stored answer
      ├─ chat gpt-x           one attempt at a model
      └─ chat gpt-x           another one, perhaps after the turn had given it up

Names and attributes are those of the semantic conventions for generative AI (`gen_ai.*`), what they do not have is
`botrunner.*`. Rules: ids and figures only, never a message's text, a user, or what a provider said; times are those of
the daemon's clock; spans are made where events are noted, in memory, and a thread of the library sends them on. This
module needs the extra `otel` and is loaded only where traces are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TypeVar

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

import runner
from runner.clock import Clock
from runner.money.amounts import PICO_PER_USD
from runner.money.scopes import kind_of
from runner.ports.observer import CallEnded, Event, MessageAccepted, SpendRefused, TurnFinished

CLOSE_S = 2.0
"""How long the end of the daemon waits for the last spans to be sent."""
MOST_TURNS = 4096
"""Turns whose spans are open, and ended ones that late calls still find."""
_NS_PER_MS = 1_000_000
_CONVENTIONAL = {"gemini": "gcp.gemini"}
"""Our names of providers that the conventions call otherwise."""
_FAILURES = frozenset({"timeout", "provider_error", "unpriced", "internal_error"})
"""Stop reasons of turns that should have been answered; a limit that did its work is none of them."""

T = TypeVar("T")


def collected(endpoint: str, environ: Mapping[str, str]) -> TracerProvider:
    """Where spans go: to the collector at this address, OTLP over HTTP.

    Args:
        endpoint: the whole address, `/v1/traces` included.
        environ: `OTEL_SERVICE_NAME` is heeded; what else OpenTelemetry's variables say, its library reads itself.
    """
    name = environ.get("OTEL_SERVICE_NAME") or "botrunner"
    resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: runner.__version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


class Traces:
    """An Observer that makes spans."""

    def __init__(self, provider: TracerProvider, clock: Clock) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("botrunner", runner.__version__)
        self._clock = clock
        self._open: dict[str, Span] = {}
        self._ended: dict[str, SpanContext] = {}

    def note(self, event: Event) -> None:
        """Something happened."""
        match event:
            case MessageAccepted() if event.fresh:
                self._begin(event.bot, event.turn, 0)
            case CallEnded():
                self._call(event)
            case SpendRefused():
                span = self._open.get(event.turn)
                if span is not None:
                    about = {"botrunner.refusal": event.kind, "botrunner.scope": kind_of(event.scope)}
                    span.add_event("spend refused", about, self._now_ns())
            case TurnFinished():
                self._end(event)
            case _:
                pass

    def close(self) -> None:
        """Send what is left, as far as that can be done within `CLOSE_S`. Blocks."""
        closing = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _begin(self, bot: str, turn: str, ago_ms: int) -> Span:
        """The turn's span; it began so long ago."""
        about = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": bot,
            "gen_ai.agent.name": bot,
            "botrunner.turn": turn,
        }
        began = self._now_ns() - ago_ms * _NS_PER_MS
        span = self._tracer.start_span(
            f"invoke_agent {bot}", None, SpanKind.INTERNAL, about, start_time=began
        )
        _keep(self._open, turn, span)
        return span

    def _call(self, event: CallEnded) -> None:
        above = self._above(event)
        usage, now = event.usage, self._now_ns()
        about: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _CONVENTIONAL.get(event.provider, event.provider),
            "gen_ai.request.model": event.model,
            "gen_ai.agent.id": event.bot,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_5m_tokens
            + usage.cache_write_1h_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            "botrunner.turn": event.turn,
            "botrunner.attempt": event.attempt,
            "botrunner.call.state": str(event.state),
            "botrunner.held_usd": event.held / PICO_PER_USD,
            "botrunner.cost_usd": event.cost / PICO_PER_USD,
        }
        if event.state != "settled":
            about["error.type"] = str(event.state)
        context = set_span_in_context(NonRecordingSpan(above))
        began = now - event.latency_ms * _NS_PER_MS
        span = self._tracer.start_span(
            f"chat {event.model}", context, SpanKind.CLIENT, about, start_time=began
        )
        if event.state != "settled":
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def _above(self, event: CallEnded) -> SpanContext:
        """The turn's span: open, ended already, or begun here where an earlier daemon accepted the message."""
        turn = event.turn.partition(".")[0]  # what is called beside a turn belongs to it
        span = self._open.get(turn)
        if span is not None:
            return span.get_span_context()
        ended = self._ended.get(turn)
        return self._begin(event.bot, turn, event.latency_ms).get_span_context() if ended is None else ended

    def _end(self, event: TurnFinished) -> None:
        span = self._open.get(event.turn) or self._begin(event.bot, event.turn, event.latency_ms)
        del self._open[event.turn]
        span.set_attributes(
            {
                "gen_ai.conversation.id": event.conversation,
                "botrunner.channel": event.channel,
                "botrunner.stop_reason": str(event.stop_reason),
                "botrunner.iterations": event.iterations,
                "botrunner.tool_calls": event.tool_calls,
                "botrunner.cost_usd": event.cost / PICO_PER_USD,
            }
        )
        if event.stop_reason in _FAILURES:
            span.set_attribute("error.type", str(event.stop_reason))
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._now_ns())
        _keep(self._ended, event.turn, span.get_span_context())

    def _now_ns(self) -> int:
        return self._clock.now_ms() * _NS_PER_MS


def _keep(kept: dict[str, T], turn: str, what: T) -> None:
    """Keep it, the oldest goes where there are too many: a span that is never ended is never sent."""
    if len(kept) >= MOST_TURNS:
        del kept[next(iter(kept))]
    kept[turn] = what
