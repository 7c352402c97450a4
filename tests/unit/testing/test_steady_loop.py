"""The loop of the tests: a stall counts next to nothing, and time passes all the same."""

import asyncio
import threading
import time

import pytest

from tests.steady_loop import TURN_S, SteadyLoop

SLACK_S = 1e-6  # what adding many small times up may be off by


class Machine:
    """A machine's clock, and a machine that can stall."""

    def __init__(self) -> None:
        self.stalled_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.stalled_s  # noqa: TID251 - the machine's time is what is tested


async def test_all_async_tests_run_on_it() -> None:
    assert isinstance(asyncio.get_running_loop(), SteadyLoop)


def test_a_stall_counts_as_one_turn() -> None:
    machine = Machine()
    loop = SteadyLoop(machine)

    async def stalled_in_the_middle() -> None:
        async with asyncio.timeout(10 * TURN_S):
            began = loop.time()
            machine.stalled_s += 3600
            for _ in range(3):
                await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
            assert loop.time() - began <= 4 * TURN_S

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(stalled_in_the_middle())


async def test_who_waits_for_a_time_out_gets_it() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3.5 * TURN_S):
            await asyncio.Event().wait()


async def test_a_time_comes_on_a_busy_loop_too() -> None:
    async def busy() -> None:
        while not task.cancelling():  # noqa: ASYNC110 - never idle
            await asyncio.sleep(0)  # noqa: TID251 - as above

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(busy())
        asyncio.get_running_loop().call_later(1.5 * TURN_S, task.cancel)


async def test_it_is_never_early() -> None:
    loop, machine = asyncio.get_running_loop(), Machine()
    for seconds in (0.0, 0.1 * TURN_S, 2.2 * TURN_S):
        before, began = machine(), loop.time()
        await asyncio.sleep(seconds)  # noqa: TID251 - this is what is tested
        assert seconds <= loop.time() - began + SLACK_S
        assert seconds <= machine() - before + SLACK_S


async def test_another_thread_wakes_it_without_a_time_out() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    threading.Timer(2.5 * TURN_S, loop.call_soon_threadsafe, [done.set]).start()
    await done.wait()
