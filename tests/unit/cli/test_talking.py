"""A talk with the pipeline in this process, from another thread."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from runner.cli.talk import Answer, InProcess, Say
from runner.errors import OperatorError


class Session:
    """Notes what happens to it, and where."""

    def __init__(self, *, refuses: bool = False, breaks: bool = False) -> None:
        self.events: list[str] = []
        self.tasks: set[object] = set()
        self._refuses = refuses
        self._breaks = breaks

    def __call__(self) -> AbstractAsyncContextManager[Say]:
        return self._live()

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[Say]:
        if self._refuses:
            raise OperatorError("no such bot")
        self.tasks.add(asyncio.current_task())
        async with asyncio.TaskGroup() as group:

            async def say(text: str) -> Answer:
                if self._breaks:
                    group.create_task(self._break())
                    await asyncio.Event().wait()
                return {"response": f"{text} in {threading.current_thread().name}"}

            yield say
        self.tasks.add(asyncio.current_task())
        self.events.append("ended")

    async def _break(self) -> None:
        raise OperatorError("the disk is gone")


def test_each_text_is_answered_beside_this_thread() -> None:
    session = Session()
    with InProcess(session) as talk:
        assert talk.say("a") == {"response": "a in talk"}
        assert talk.say("b") == {"response": "b in talk"}
    assert session.events == ["ended"]
    assert len(session.tasks) == 1  # entered and left in one task, as task groups want it


def test_what_keeps_it_from_starting_is_said_here() -> None:
    with pytest.raises(OperatorError, match="no such bot"), InProcess(Session(refuses=True)):
        pass
    assert "talk" not in {thread.name for thread in threading.enumerate()}


def test_a_session_that_breaks_ends_the_question_with_its_reason() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, InProcess(Session(breaks=True)) as talk:
        talk.say("a")
    assert caught.group_contains(OperatorError, match="the disk is gone")
    assert "talk" not in {thread.name for thread in threading.enumerate()}


def test_a_fault_of_ours_ends_the_session_too() -> None:
    session = Session()
    with pytest.raises(ZeroDivisionError), InProcess(session):
        raise ZeroDivisionError
    assert session.events == ["ended"]
