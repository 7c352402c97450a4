"""Tool servers of a whole daemon: their tools are used, their faults are survived, and none outlives the daemon."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from runner.app import settings_of
from runner.app.parts import Daemon as Assembled
from runner.app.parts import Site
from runner.app.serving import serving
from runner.app.working import working
from runner.clock import SystemClock
from runner.conversations.models import ToolCall
from runner.ports.observer import ToolServerChanged
from runner.ports.reloads import Reloaded
from runner.telemetry.logs import Cut
from runner.telemetry.systemd import NobodyToNotify
from runner.testing import tool_program
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from runner.testing.observer import RecordingObserver
from tests.faults.daemon_process import GLANCE_S, Daemon

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

PROGRAM = f'["{sys.executable}", -I, -S, "{tool_program.__file__}"]'
FILE = f"""
server: {{port: 0}}
reload: off
providers: {{house: {{kind: openai, base_url: "MODEL/v1", api_key: house-key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
workspaces:
  w: {{servers: {{shop: {{command: {PROGRAM}, tools: [echo, die, fail]}}}}}}
bots:
  ada: {{platform: custom, llm_provider: house, llm_model: m, workspace_id: w, timeout_ms: 60000}}
  eve: {{platform: custom, llm_provider: house, llm_model: m, timeout_ms: 60000}}
"""


@dataclass
class Home:
    daemon: Assembled
    file: Path
    model: ModelServer
    observer: RecordingObserver

    async def say(self, text: str, *said: Say, bot: str = "ada") -> dict[str, Any]:
        self.model.script(*said)
        found = self.daemon.in_force.settings.bot(bot)
        assert found is not None
        return await self.daemon.say(found, "maria", text)

    def told(self) -> list[str]:
        """The names of the tools that the model was told of with the last request."""
        body = self.model.requests[-1].body
        return [tool["function"]["name"] for tool in body.get("tools", ())]


def use(tool: str, **arguments: str) -> Say:
    return Say("", tools=(ToolCall("c1", f"shop__{tool}", json.dumps(arguments)),))


@asynccontextmanager
async def at_home(folder: Path, text: str = FILE) -> AsyncIterator[Home]:
    model = ModelServer()
    url = await model.start()
    file = folder / "bots.yaml"
    file.write_text(text.replace("MODEL", url), encoding="utf-8")
    environ = {"BOTRUNNER_STATE": str(folder / "state")}
    observer = RecordingObserver()
    site = Site(file, environ, settings_of(file, environ)[0], SystemClock(), observer, Cut(()))
    try:
        async with working(site, connect=True) as daemon, serving(daemon, NobodyToNotify()):
            yield Home(daemon, file, model, observer)
    finally:
        await model.stop()


async def test_a_bot_answers_with_the_tools_of_its_workspace(tmp_path: Path) -> None:
    async with at_home(tmp_path) as home:
        answer = await home.say("hello", use("echo", text="3 left"), Say("There are 3."))
        told = home.told()
        await home.say("hello", Say("Hi."), bot="eve")
        none = home.told()
    assert answer["response"] == "There are 3."
    (run,) = answer["tool_calls"]
    assert (run["result"], run["toolName"]) == ("3 left", "shop__echo")
    assert told == ["shop__die", "shop__echo", "shop__fail"], "what is allowed, by name"
    assert none == []


async def test_a_server_that_dies_costs_its_tools_for_a_while_and_no_answer(tmp_path: Path) -> None:
    async with at_home(tmp_path) as home:
        answer = await home.say("hello", use("die"), Say("It is out of order."))
        _, down = await home.observer.until(ToolServerChanged, 2)
        while_down = await home.say("and now?", Say("Still."))
        *_, up = await home.observer.until(ToolServerChanged, 3)
        back = await home.say("again", use("echo", text="yes"), Say("It works."))
    assert (answer["response"], while_down["response"], back["response"]) == (
        "It is out of order.",
        "Still.",
        "It works.",
    )
    assert (down.state, down.why, down.bots) == ("down", "it ended (exit code 3)", ("ada",))
    assert (up.state, back["tool_calls"][0]["result"]) == ("up", "yes")


async def test_a_bot_starts_without_its_server_and_a_reload_mends_it(tmp_path: Path) -> None:
    async with at_home(tmp_path, FILE.replace(PROGRAM, "/nowhere/shop")) as home:
        answer = await home.say("hello", use("echo"), Say("I cannot look."))
        text = home.file.read_text(encoding="utf-8")
        home.file.write_text(text.replace("/nowhere/shop", PROGRAM), encoding="utf-8")
        done = await home.daemon.reloader.reload("a test")
        _, up = await home.observer.until(ToolServerChanged, 2)
        mended = await home.say("again", use("echo", text="yes"), Say("It works."))
    assert answer["tool_calls"][0]["result"] == (
        "The tool server shop cannot be used now: there is no program /nowhere/shop."
    )
    assert done == Reloaded(changed=("ada",), sections=("workspaces.w",))
    assert (up.state, mended["tool_calls"][0]["result"]) == ("up", "yes")


async def until(holds: Callable[[], object]) -> None:
    clock = SystemClock()
    while not holds():
        await clock.sleep(GLANCE_S)


def programs(daemon: Daemon) -> list[psutil.Process]:
    children = psutil.Process(daemon.pid).children()
    return [child for child in children if tool_program.__file__ in child.cmdline()]


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_none_outlives_the_daemon_however_it_ends(tmp_path: Path) -> None:
    echo = FILE.replace("llm_provider: house, llm_model: m", "llm_provider: echo, llm_model: echo")
    echo = echo.replace("MODEL", "http://127.0.0.1:9")
    with Daemon(tmp_path, echo.replace("tool_program.py", 'tool_program.py", "stubborn')) as daemon:
        await daemon.start()
        await daemon.ready()
        await until(lambda: len(daemon.events("tool server")) == 1)
        (stubborn,) = programs(daemon)
        daemon.kill()
        await daemon.gone()
        await until(lambda: ended(stubborn))

        daemon.config.write_text(echo, encoding="utf-8")
        await daemon.start()
        await daemon.ready()
        await until(lambda: len(daemon.events("tool server")) == 2)
        (meek,) = programs(daemon)
        await daemon.stop()
        assert ended(meek)
    told = [(line["server"], line["state"], line["bots"]) for line in daemon.events("tool server")]
    assert told == [("w/shop", "up", "ada")] * 2
