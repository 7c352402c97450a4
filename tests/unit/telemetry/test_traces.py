"""Spans: what they are called, how they hang together, and what is in none of them."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from runner.app.tracing import EXTRA, endpoint_of, tracing
from runner.money.amounts import PICO_PER_USD, Money
from runner.money.usage import NO_USAGE, Usage
from runner.ports.observer import CallEnded, Event, Fault, MessageAccepted, SpendRefused, TurnFinished
from runner.telemetry.traces import MOST_TURNS, Traces
from runner.testing.clock import START_MS, ManualClock

USAGE = Usage(100, 30, 40, 10, 5, 12)
SECRET = "my card is 4111 1111"
ACCEPTED = MessageAccepted("shop", "telegram", "t1", fresh=True)
CALL = CallEnded(
    bot="shop",
    turn="t1",
    attempt="t1-1",
    provider="openai",
    model="gpt-x",
    state="settled",
    held=Money(PICO_PER_USD),
    cost=Money(PICO_PER_USD // 4),
    usage=USAGE,
    latency_ms=700,
)
FINISHED = TurnFinished("shop", "telegram", "c1", "t1", "answered", 2, 1, Money(PICO_PER_USD // 4), 900)


class Seen:
    """An observer that traces, and its spans that ended."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.traces = Traces(provider, self.clock)

    def note(self, *events: Event) -> None:
        for event in events:
            self.traces.note(event)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def times_ms(span: ReadableSpan) -> tuple[int, int]:
    """From and to, after the clock's start."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time // 10**6 - START_MS, span.end_time // 10**6 - START_MS)


def test_a_turn_with_its_call() -> None:
    seen = Seen()
    seen.note(ACCEPTED)
    seen.clock.advance(1.5)
    seen.note(CALL)
    seen.clock.advance(0.25)
    seen.note(FINISHED)
    turn, call = seen.named("invoke_agent shop"), seen.named("chat gpt-x")
    assert (turn.kind, turn.parent, times_ms(turn)) == (SpanKind.INTERNAL, None, (0, 1750))
    assert (call.kind, times_ms(call)) == (SpanKind.CLIENT, (800, 1500))
    assert call.parent is not None
    assert turn.context is not None
    assert (call.parent.span_id, call.parent.trace_id) == (turn.context.span_id, turn.context.trace_id)
    assert attributes(turn) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": "shop",
        "gen_ai.agent.name": "shop",
        "gen_ai.conversation.id": "c1",
        "botrunner.turn": "t1",
        "botrunner.channel": "telegram",
        "botrunner.stop_reason": "answered",
        "botrunner.iterations": 2,
        "botrunner.tool_calls": 1,
        "botrunner.cost_usd": 0.25,
    }
    assert attributes(call) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.agent.id": "shop",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 15,
        "gen_ai.usage.reasoning.output_tokens": 12,
        "botrunner.turn": "t1",
        "botrunner.attempt": "t1-1",
        "botrunner.call.state": "settled",
        "botrunner.held_usd": 1.0,
        "botrunner.cost_usd": 0.25,
    }
    assert (turn.status.status_code, call.status.status_code) == (StatusCode.UNSET, StatusCode.UNSET)


def test_a_call_that_ends_after_its_turn_hangs_below_it_all_the_same() -> None:
    seen = Seen()
    seen.note(ACCEPTED, FINISHED, replace(CALL, state="unknown", usage=NO_USAGE))
    turn, call = seen.named("invoke_agent shop"), seen.named("chat gpt-x")
    assert call.parent is not None
    assert turn.context is not None
    assert call.parent.span_id == turn.context.span_id
    assert call.status.status_code is StatusCode.ERROR
    assert attributes(call)["error.type"] == "unknown"


def test_a_summary_made_beside_a_turn_hangs_below_it() -> None:
    seen = Seen()
    seen.note(ACCEPTED, FINISHED, replace(CALL, turn="t1.summary", attempt="t1.summary-1"))
    turn, call = seen.named("invoke_agent shop"), seen.named("chat gpt-x")
    assert call.parent is not None
    assert turn.context is not None
    assert call.parent.span_id == turn.context.span_id
    assert attributes(call)["botrunner.turn"] == "t1.summary"
    assert not seen.traces._open, "no span is begun for it"


def test_a_turn_that_an_earlier_daemon_accepted_begins_with_what_is_known() -> None:
    seen = Seen()
    seen.note(CALL)
    seen.clock.advance(0.1)
    seen.note(FINISHED)
    assert times_ms(seen.named("invoke_agent shop")) == (-700, 100)
    other = Seen()
    other.note(FINISHED)
    assert times_ms(other.named("invoke_agent shop")) == (-900, 0)


def test_what_comes_twice_begins_nothing() -> None:
    seen = Seen()
    seen.note(ACCEPTED, FINISHED, replace(ACCEPTED, fresh=False), replace(ACCEPTED, turn="t2", fresh=False))
    assert len(seen.spans) == 1
    assert not seen.traces._open


@pytest.mark.parametrize(
    ("stop", "code"),
    [("budget", StatusCode.UNSET), ("provider_error", StatusCode.ERROR), ("timeout", StatusCode.ERROR)],
)
def test_a_limit_that_did_its_work_is_no_error(stop: str, code: StatusCode) -> None:
    seen = Seen()
    seen.note(ACCEPTED, SpendRefused("shop", "t1", "user:shop/telegram/maria", "limit"))
    seen.note(replace(FINISHED, stop_reason=stop))
    turn = seen.named("invoke_agent shop")
    assert turn.status.status_code is code
    assert (attributes(turn).get("error.type") == stop) == (code is StatusCode.ERROR)
    [refusal] = turn.events
    assert dict(refusal.attributes or {}) == {"botrunner.refusal": "limit", "botrunner.scope": "user"}


def test_nobodys_words_are_in_a_span() -> None:
    seen = Seen()
    seen.note(
        ACCEPTED,
        replace(CALL, state="released", why=f"HTTP 400: {SECRET}"),
        SpendRefused("shop", "t1", f"user:shop/telegram/{SECRET}", "limit"),
        Fault("turn", SECRET, "shop", "t1"),
        replace(FINISHED, stop_reason="provider_error", detail=SECRET),
    )
    assert len(seen.spans) == 2
    assert SECRET not in "".join(span.to_json() for span in seen.spans)


def test_turns_that_never_end_are_forgotten() -> None:
    seen = Seen()
    for number in range(MOST_TURNS + 10):
        seen.note(replace(ACCEPTED, turn=f"t{number}"))
    assert len(seen.traces._open) == MOST_TURNS
    for number in range(MOST_TURNS + 10):
        seen.note(replace(FINISHED, turn=f"t{number}"))
    assert (len(seen.traces._open), len(seen.traces._ended)) == (0, MOST_TURNS)


# ── on their way ─────────────────────────────────────────────────────────────────────────────────────────


class Collector:
    """Takes traces as a collector does, on a socket."""

    def __init__(self) -> None:
        self.got: list[tuple[str, ExportTraceServiceRequest]] = []
        double = self

        class Desk(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                double.got.append((self.path, ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Desk)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    serving = threading.Thread(target=found.server.serve_forever)
    serving.start()
    yield found
    found.server.shutdown()
    serving.join()
    found.server.server_close()


class Log:
    """A log that keeps its warnings."""

    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []

    def warning(self, event: str, **about: Any) -> None:
        self.warnings.append({"event": event, **about})


def test_what_is_left_at_the_end_is_sent(collector: Collector) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/", "OTEL_SERVICE_NAME": "bots"}
    log: Any = Log()
    with tracing(environ, ManualClock(), log) as observers:
        for observer in observers:
            for event in (ACCEPTED, CALL, FINISHED):
                observer.note(event)
    [(path, request)] = collector.got
    assert path == "/v1/traces"
    [spans] = request.resource_spans
    assert "bots" in {attribute.value.string_value for attribute in spans.resource.attributes}
    assert {span.name for scope in spans.scope_spans for span in scope.spans} == {
        "invoke_agent shop",
        "chat gpt-x",
    }
    assert log.warnings == []


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/in",
            },
            "http://t/in",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, None),
    ],
)
def test_who_asks_for_them(environ: dict[str, str], endpoint: str | None) -> None:
    assert endpoint_of(environ) == endpoint


def test_nobody_asked_and_nothing_is_made() -> None:
    log: Any = Log()
    with tracing({}, ManualClock(), log) as observers:
        assert observers == ()


def test_without_the_extra_it_is_told_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runner.telemetry.traces")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)  # as if it were not there
    log: Any = Log()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}
    with tracing(environ, ManualClock(), log) as observers:
        assert observers == ()
    [warning] = log.warnings
    assert (warning["install"], warning["missing"]) == (EXTRA, "opentelemetry.sdk.trace")
