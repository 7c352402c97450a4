"""A whole daemon is watched: what its parts note is counted, what its probes find is told."""

from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families as families

from runner.app.parts import Site
from runner.app.running import settings_of
from runner.app.serving import serving
from runner.app.working import working
from runner.clock import SystemClock
from runner.ports.observer import CallEnded, ConnectionChanged, TurnFinished
from runner.ports.reloads import Unusable
from runner.telemetry.logs import Cut
from runner.telemetry.systemd import NobodyToNotify
from runner.testing.observer import RecordingObserver

FILE = """
server: {port: 0}
reload: off
prices: {echo: {input: "1", output: "2"}}
bots:
  hello: {platform: custom, llm_provider: echo, llm_model: echo, spending_cap_cents: 100, system_prompt: Be kind.}
"""


def samples(text: str) -> dict[str, float]:
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for family in families(text)
        for sample in family.samples
    }


async def test_what_happens_is_counted_and_how_it_stands_is_told(tmp_path: Path) -> None:
    file = tmp_path / "bots.yaml"
    file.write_text(FILE, encoding="utf-8")
    environ = {"BOTRUNNER_STATE": str(tmp_path / "state")}
    observer = RecordingObserver()
    site = Site(file, environ, settings_of(file, environ)[0], SystemClock(), observer, Cut(()))
    async with (
        working(site, connect=True) as daemon,
        serving(daemon, NobodyToNotify()) as url,
        aiohttp.ClientSession(url) as http,
    ):
        await observer.until(ConnectionChanged)
        said = {"text": "hello", "user_id": "maria"}
        async with http.post("/api/bots/webhook/custom/hello", json=said) as response:
            assert response.status == 200
        await observer.until(TurnFinished)
        await observer.until(CallEnded)
        file.write_text("bots: nonsense", encoding="utf-8")
        assert isinstance(await daemon.reloader.reload("test"), Unusable)
        async with http.get("/metrics") as response:
            told = samples(await response.text())
        async with http.get("/health/ready") as response:
            health = (response.status, await response.json())
    assert told["botrunner_messages_total hello custom accepted"] == 1
    assert told["botrunner_turns_total hello answered"] == 1
    assert told["botrunner_model_calls_total hello echo echo settled"] == 1
    assert told["botrunner_connection_changes_total hello custom up"] == 1
    assert told["botrunner_connection hello custom custom up"] == 1
    assert told["botrunner_config_reloads_total refused"] == told["botrunner_config_fault"] == 1
    spent = told["botrunner_spend_usd_total hello echo echo"]
    assert told["botrunner_limit_settled_usd hello lifetime"] == spent > 0
    assert (health[0], health[1]["status"]) == (200, "degraded")
    assert health[1]["config"]["fault"]
    assert health[1]["store"]["ok"]
