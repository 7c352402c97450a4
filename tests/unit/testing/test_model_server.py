"""The fake model server is strict, keeps its books, and runs as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from runner.clock import UnixMs
from runner.conversations.recordings import Recording, measure
from runner.money.usage import Usage
from runner.providers.transcription import transcription_form
from runner.testing.model_audio import read_form
from runner.testing.model_checks import BadRequest
from runner.testing.model_script import At, Billed, Fault, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.recordings import opus

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 50,
}
MESSAGES: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    "stream": True,
    "service_tier": "standard_only",
    "max_tokens": 50,
}
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer(key="sk")
    await server.start()
    yield server
    await server.stop()


async def post(url: str, body: Mapping[str, Any], key: str = "sk") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"max_tokens": None}, "above 0"),
        ({"max_tokens": 0}, "above 0"),
        ({"max_completion_tokens": 5}, "one of max_tokens"),
        ({"stream": False}, "only streams"),
        ({"stream_options": {}}, "include_usage"),
        ({"service_tier": "auto"}, "service_tier"),
        ({"n": 2}, "unknown fields: ['n']"),
        ({"messages": []}, "required"),
        ({"messages": [{"role": "user", "content": " "}]}, "empty"),
        ({"messages": [*CHAT["messages"], {"role": "system", "content": "x"}]}, "may not stand here"),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}, "without its call"),
        ({"messages": [*CHAT["messages"], CALL]}, "without a result"),
        ({"messages": [CALL, *CHAT["messages"]]}, "without a result"),
    ],
)
async def test_what_chat_completions_refuses(server: ModelServer, change: dict[str, Any], says: str) -> None:
    status, text = await post(server.url + PATHS["chat"], CHAT | change)
    assert (status, says in json.loads(text)["error"]["message"]) == (400, True), text
    assert server.bill == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"max_tokens": None}, "above 0"),
        ({"service_tier": "auto"}, "service_tier"),
        ({"temperature": 1}, "unknown fields: ['temperature']"),
        ({"messages": [{"role": "user", "content": []}]}, "empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
        ({"messages": [USE, RESULT]}, "may not stand here"),
        ({"messages": [*MESSAGES["messages"], USE]}, "without tool_result"),
        ({"messages": [*MESSAGES["messages"], USE, *MESSAGES["messages"]]}, "do not match"),
        ({"messages": [*MESSAGES["messages"], RESULT]}, "do not match"),
        ({"messages": [{"role": "user", "content": [MARKED] * 5}]}, "at most 4"),
    ],
)
async def test_what_messages_refuses(server: ModelServer, change: dict[str, Any], says: str) -> None:
    status, text = await post(server.url + PATHS["messages"], MESSAGES | change)
    assert (status, says in json.loads(text)["error"]["message"]) == (400, True), text
    assert server.bill == []


async def test_another_key_is_refused(server: ModelServer) -> None:
    status, _ = await post(server.url + PATHS["chat"], CHAT, key="sk-other")
    assert (status, server.bill) == (401, [])


async def test_the_bill_is_written_before_the_answer(server: ModelServer) -> None:
    server.script(
        Hang(Usage(9, 9)), Fault(500, usage=Usage(8, 8)), Fault(500), Say(usage=Usage(7, 7), cut_at=At.START)
    )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await post(server.url + PATHS["chat"], CHAT)
    await server.wait_for(lambda server: server.gone == 1)
    assert (await post(server.url + PATHS["chat"], CHAT))[0] == 500
    assert (await post(server.url + PATHS["chat"], CHAT))[0] == 500
    with pytest.raises(aiohttp.ClientPayloadError):
        await post(server.url + PATHS["chat"], CHAT)
    assert (await post(server.url + PATHS["chat"], CHAT))[0] == 200
    assert [(row.usage.input_tokens, row.answered) for row in server.bill[:3]] == [
        (9, False),
        (8, False),
        (7, False),
    ]
    last: Billed = server.bill[3]
    assert (last.answered, last.limit, last.model, last.request_id) == (True, 50, "m", "chatcmpl_5")


async def test_a_function_may_pick() -> None:
    def pick(body: Mapping[str, Any]) -> Say:
        return Say(text=f"{body['model']}!", pieces=1)

    picking = ModelServer(standing=pick)
    await picking.start()
    assert '"m!"' in (await post(picking.url + PATHS["messages"], MESSAGES))[1]
    await picking.stop()


async def test_latency_is_the_clock_s() -> None:
    class Noted:
        slept: list[float] = []  # noqa: RUF012 - one test, one list

        def now_ms(self) -> UnixMs:
            return UnixMs(0)

        def monotonic(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    slow = ModelServer(clock=Noted(), standing=Say(latency_s=800.0))
    await slow.start()
    assert (await post(slow.url + PATHS["chat"], CHAT))[0] == 200
    await slow.stop()
    assert Noted.slept == [800.0]


async def test_as_a_process_of_its_own() -> None:
    flags = ["--text", "Good day.", "--at-bound", "--latency-ms", "1", "--pieces", "1"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runner.testing.model_server", *flags, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        _, text = await post(url + PATHS["chat"], CHAT)
        assert "Good day." in text
        async with aiohttp.ClientSession() as session, session.get(f"{url}/bill") as response:
            sums = await response.json()
        assert (sums["requests"], sums["answered"], sums["output_tokens"]) == (1, 1, 50)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("content_type", "change", "says"),
    [
        ("application/json", (b"", b""), "multipart"),
        (None, (b"verbose_json", b"srt"), "response_format"),
        (None, (b'name="temperature"', b'name="prompt"'), "expected"),
        (None, (b'name="temperature"', b'name="model"'), "twice"),
        (None, (b"OpusHead", b"OpusHood"), "length"),
        (None, (b"--\r\n", b"\r\n"), "end"),
    ],
)
def test_what_writing_speech_down_refuses(
    content_type: str | None, change: tuple[bytes, bytes], says: str
) -> None:
    recording = measure(opus(1))
    assert isinstance(recording, Recording)
    form = transcription_form("whisper-1", recording)
    assert read_form(form.body, form.content_type)[1] == 1
    with pytest.raises(BadRequest, match=says):
        read_form(form.body.replace(*change), content_type or form.content_type)
