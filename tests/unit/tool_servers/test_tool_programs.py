"""A tool server that is a program, with all its habits: its faults are told in words and touch nobody else."""

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from runner.bots import Secret
from runner.ports.observer import ToolServerChanged, ToolServerSaid
from runner.tool_servers.child import started
from tests.unit.tool_servers.tool_stage import a_program, having, staged


def has_ended(process: int) -> bool:
    """Wait for the end of a process; its file descriptor is closed."""
    ready, _, _ = select.select([process], [], [], 60)
    os.close(process)
    return bool(ready)


async def test_its_tools_are_there_and_answer() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        (change,) = await stage.changes(1)
        result = await stage.run(bot, "echo", '{"text": "fine"}')
        box = stage.box(bot)
    assert (change.state, change.tools, change.bots) == ("up", 15, ("ada",))
    assert (result.ok, result.text) == (True, "fine")
    harmless = {spec.name for spec in box.specs if box.is_repeatable(spec.name)}
    assert harmless == {
        "shop__echo",
        "shop__bare",
    }  # one only reads, of the other a second call changes nothing


@pytest.mark.parametrize(
    ("tool", "arguments", "ok", "text"),
    [
        ("fail", {"text": "no such order"}, False, "no such order"),
        ("refuse", {"text": "not today"}, False, "The tool server answered with an error: not today"),
        (
            "nonsense",
            {},
            False,
            "The tool server's answer could not be read; it may or may not have taken effect.",
        ),
        ("chatter", {"text": "fine"}, True, "fine"),
        ("bare", {}, True, '{"stock": 3}'),
        (
            "picture",
            {},
            True,
            (
                "[image that is not shown: image/png, about 300 bytes]\n"
                "[audio that is not shown: audio/ogg, about 3 bytes]\n"
                "[file that is not shown: file:///a.pdf, application/pdf, about 3 bytes]\n"
                "[note://1]\na note\n"
                "[link to more, https://example.com/more]\n"
                "that is all"
            ),
        ),
    ],
)
async def test_whatever_it_answers_is_told(
    tool: str, arguments: dict[str, str], *, ok: bool, text: str
) -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        await stage.changes(1)
        result = await stage.run(bot, tool, json.dumps(arguments))
        again = await stage.run(bot, "echo", '{"text": "still here"}')
    assert (result.ok, result.text) == (ok, text)
    assert again.text == "still here"


async def test_a_huge_result_is_cut_twice() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        await stage.changes(1)
        result = await stage.run(bot, "huge", '{"chars": 3000000}')
    assert len(result.text) == 16_000
    assert result.text.endswith("[cut: more than 262144 characters in all]")


async def test_a_line_without_end_ends_the_connection_not_the_daemon() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        await stage.changes(1)
        result = await stage.run(bot, "endless", '{"chars": 9000000}')
        _, down = await stage.changes(2)
    assert result.text == "The tool server went away during the call; it may or may not have taken effect."
    assert (down.state, down.why) == ("down", "it sent a line of more than 4194304 bytes")


async def test_one_that_dies_comes_back_with_its_tools() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        await stage.changes(1)
        begun = stage.box(bot)
        result = await stage.run(bot, "die")
        _, down = await stage.changes(2)
        meanwhile = await stage.run(bot, "echo")
        off = stage.box(bot).specs
        await stage.clock.asleep(2)  # the pool, and who waits to connect again
        stage.clock.advance(1)
        *_, up = await stage.changes(3)
        after = await stage.run(bot, "echo", '{"text": "back"}')
    assert result.text == "The tool server went away during the call; it may or may not have taken effect."
    assert (down.state, down.tools, down.why) == ("down", 0, "it ended (exit code 3)")
    assert meanwhile.text == "The tool server shop cannot be used now: it ended (exit code 3)."
    assert (off, len(begun.specs)) == ((), 15)
    assert (up.state, up.tools, after.text) == ("up", 15, "back")


async def test_a_call_that_hangs_ends_in_time_and_takes_nothing_along() -> None:
    bot = having(a_program(timeout_s=0.01))
    patient = having(a_program(), bot="eve", workspace="other")
    async with staged(bot, patient) as stage:
        await stage.changes(2)
        result = await stage.run(bot, "hang")
        others = await stage.run(patient, "echo", '{"text": "fine"}')
    assert result.text == (
        "The tool did not answer within 0.01 seconds. It may or may not have taken effect."
    )
    assert others.text == "fine"


async def test_it_says_that_it_has_other_tools() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        await stage.changes(1)
        before = stage.box(bot)
        await stage.run(bot, "learn")
        await stage.clock.asleep(2)  # the pool, and the pause before a list is read again
        stage.clock.advance(1)
        _, more = await stage.changes(2)
        after = stage.box(bot)
    assert (more.state, more.tools) == ("up", 16)
    assert {spec.name for spec in after.specs} - {spec.name for spec in before.specs} == {"shop__learnt0"}


async def test_its_tools_are_read_again_after_some_minutes() -> None:
    bot = having(a_program())
    async with staged(bot) as stage:
        (up,) = await stage.changes(1)
        await stage.clock.asleep(1)
        stage.clock.advance(300)
        await stage.clock.asleep(2)
        stage.clock.advance(1)
        await stage.run(bot, "echo")
        assert stage.observer.of(ToolServerChanged) == [up]  # nothing new is no news


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (a_program(command=("/nowhere/at all",)), "there is no program /nowhere/at all"),
        (a_program(command=(sys.executable, "-I", "-S", "-c", "")), "it ended (exit code 0)"),
        (
            a_program(command=(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")),
            "it was ended by SIGKILL",
        ),
        (a_program("listless"), "it answered with an error: there is no tools/list"),
    ],
)
async def test_one_that_cannot_be_had_is_told_once_and_tried_again(server: object, why: str) -> None:
    bot = having(server)  # type: ignore[arg-type]
    async with staged(bot) as stage:
        (down,) = await stage.changes(1)
        for wait in (1.0, 2.0, 4.0):
            await stage.clock.asleep(2)
            assert stage.clock.sleeps[-1] == wait
            stage.clock.advance(wait)
        assert stage.pool.states()[0].why == why
        assert stage.observer.of(ToolServerChanged) == [down]
    assert (down.state, down.why) == ("down", why)


async def test_one_with_too_many_tools_says_so() -> None:
    bot = having(a_program("crowded"))
    async with staged(bot) as stage:
        (change,) = await stage.changes(1)
    assert (change.state, change.tools) == ("degraded", 128)
    assert change.why == "it has 215 tools, of which 128 are used: name those you need"


async def test_what_it_asks_of_its_client_is_refused() -> None:
    bot = having(a_program("rude"))
    async with staged(bot) as stage:
        await stage.changes(1)
        result = await stage.run(bot, "echo", '{"text": "fine"}')
    assert result.text == "fine"


async def test_it_sees_little_of_the_daemon_and_its_secrets_never_come_back() -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": "/home/bot", "LANG": "C.UTF-8", "OPENAI_API_KEY": "sk-1"}
    bot = having(a_program(env={"SHOP_KEY": Secret("hush-hush"), "SHORT": Secret("s")}))
    async with staged(bot, environ=environ) as stage:
        await stage.changes(1)
        result = await stage.run(bot, "surroundings")
        await stage.run(bot, "complain", '{"text": "the key is hush-hush"}')
        (said,) = await stage.observer.until(ToolServerSaid)
    seen = json.loads(result.text)
    seen.pop("LC_CTYPE", None)  # Python's own
    assert seen == {
        "PATH": os.environ["PATH"],
        "HOME": "/home/bot",
        "LANG": "C.UTF-8",
        "SHOP_KEY": "***",
        "SHORT": "s",
    }
    assert (said.server, said.line) == ("shop", "the key is ***")


async def test_a_stubborn_one_is_killed_and_so_is_what_it_started() -> None:
    child = await started(a_program("stubborn"), Path(), dict(os.environ), grace_s=0.01)
    await child.write(b'{"id": 1, "method": "tools/call", "params": {"name": "breed"}}\n')
    line = await anext(child.lines())
    bred = int(json.loads(line)["result"]["content"][0]["text"])
    watched = [os.pidfd_open(child.pid), os.pidfd_open(bred)]
    await child.stop()
    gone = [await asyncio.to_thread(has_ended, process) for process in watched]
    assert gone == [True, True]
    assert await child.epitaph() == f"it was ended by {signal.SIGKILL.name}"
