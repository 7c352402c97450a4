"""Scripts of `code_block` nodes, run at arm's length.

Rules: a script runs in another process with limits of its own (`script`), a few at a time; it gets the variables as
JSON and hands them back as JSON, and what comes back is checked as anything that strangers send. Whatever goes
wrong there is an answer here, never an exception, and nothing of it waits on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from runner.workflows.expressions import Json
from runner.workflows.moves import too_large

AT_ONCE = 2
PATIENCE_S = 20.0
"""Seconds until a process is given up that neither ends nor uses its time, on a machine that stands still."""

MAX_SAID = 1024**2
"""Bytes that are read of what a process says; the longest that it may say, with room for escapes."""

Trouble: TypeAlias = Literal["syntax", "thrown", "time", "memory", "stack", "output", "broken"]
"""What went wrong: the script cannot be read, threw, took too long, too much memory, called itself too deeply, left
variables that cannot be taken; or its process ended otherwise."""

_TROUBLES: tuple[Trouble, ...] = ("syntax", "thrown", "time", "memory", "stack", "output")
_SCRIPT = Path(__file__).with_name("script.py")
_OUT_OF_TIME = (-signal.SIGPROF, -signal.SIGXCPU)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a script made of the variables: those that it set to something else, and those that it took away."""

    variables: Mapping[str, Json]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptFailed:
    """The script came to nothing. `message`: why, as a part of a sentence."""

    trouble: Trouble
    message: str


class Sandbox:
    """Runs scripts, a few at a time.

    Args:
        patience_s: seconds until a process is given up.
        program: what is run; `script.py` beside this file.
    """

    def __init__(self, patience_s: float = PATIENCE_S, program: Path = _SCRIPT) -> None:
        self._patience_s = patience_s
        self._program = program
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, code: str, variables: Mapping[str, Json]) -> Changes | ScriptFailed:
        """Run one script over these variables."""
        if too_large(variables):
            return ScriptFailed("output", "the variables are too large for a script")
        text = code.encode("utf-8", "replace")
        asked = b"%d\n%s%s" % (len(text), text, json.dumps(variables).encode())
        async with self._places:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    str(self._program),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={},
                )
            except OSError:
                return ScriptFailed("broken", "no process could be started for it")
            try:
                async with asyncio.timeout(self._patience_s):
                    said = await _exchange(process, asked)
                    ended = await process.wait() if len(said) <= MAX_SAID else 0
            except (TimeoutError, OSError):
                return ScriptFailed("broken", "its process did not end in time")
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        return _changes(said, variables) if ended == 0 else _ended_badly(ended)


async def _exchange(process: asyncio.subprocess.Process, asked: bytes) -> bytes:
    """Tell it and hear it, a little more than `MAX_SAID` at most."""
    if process.stdin is None or process.stdout is None:
        return b""
    process.stdin.write(asked)
    process.stdin.close()
    said = bytearray()
    while len(said) <= MAX_SAID and (piece := await process.stdout.read(65_536)):
        said += piece
    return bytes(said)


def _changes(said: bytes, before: Mapping[str, Json]) -> Changes | ScriptFailed:
    """What the process said, believed as far as it can be checked."""
    kind, rest = said[:1], said[1:].decode("utf-8", "replace")
    if kind == b"-":
        word, _, message = rest.partition(" ")
        trouble: Trouble = next((each for each in _TROUBLES if each == word), "broken")
        return ScriptFailed(trouble, message[:_LONGEST_MESSAGE] or "said nothing")
    if kind != b"+" or len(said) > MAX_SAID:
        return ScriptFailed("broken", "its process said nothing that can be understood")
    try:
        after = json.loads(rest, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError):
        after = None
    if not isinstance(after, dict) or too_large(after):
        return ScriptFailed("output", "left variables that cannot be taken: too large, or nested too deeply")
    after = _sound(after)
    return Changes(
        {
            name: value
            for name, value in after.items()
            if name not in before or not _same(value, before[name])
        },
        tuple(name for name in before if name not in after),
    )


def _ended_badly(status: int) -> ScriptFailed:
    if status in _OUT_OF_TIME:
        return ScriptFailed("time", "ran too long")
    return ScriptFailed("broken", "its process broke down")


def _same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: 1 is not true, but 1.0 is 1, for JavaScript has but one of them."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _sound(after: dict[str, Json]) -> dict[str, Json]:
    """Without halves of surrogate pairs, which no platform and no store would take."""
    text = json.dumps(after, ensure_ascii=False)
    clean = text.encode("utf-8", "replace").decode("utf-8")
    found: dict[str, Json] = after if clean == text else json.loads(clean)
    return found


def _refused(word: str) -> float:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_LONGEST_MESSAGE = 300
