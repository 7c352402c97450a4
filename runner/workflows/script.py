"""One script of a workflow, run in a process of its own: this file is run, never imported by the daemon.

    stdin   how many bytes the code has, a line;      stdout   "+" and the variables after it, as JSON
            the code; the variables, as JSON                   "-", a word of WORDS, a space and a sentence

Rules: a script is a program that strangers may have a say in. It sees the language and `ctx`, nothing else: no
module, no file, no network, no timer, and a console that says nothing. The engine, an interpreter without a
JIT, holds it to its time, memory and stack. Around the engine the kernel holds this process to a little more, for
what the engine does between two looks at its own limits, and lets it open nothing and start nothing. Each script
pays for the start of this process, so little is imported here (docs/decisions/javascript-engine.md).
"""

from __future__ import annotations

import resource
import signal
import sys

CPU_S = 0.25
MEMORY_BYTES = 32 * 1024**2
STACK_BYTES = 512 * 1024
MAX_OUT = 256 * 1024
"""Characters of the variables after the script."""

WORDS = ("syntax", "thrown", "time", "memory", "stack", "output")

_GRACE_S = 0.1
_ALL_CPU_S = 5
_ROOM_BYTES = 96 * 1024**2
_PAGE_BYTES = resource.getpagesize()
_LONGEST_MESSAGE = 300
_LONGEST_LINE = 8
_PLACE = "<input>:"
_LINES_BEFORE = 2
"""What the engine puts before the first line of a function that is made of a text."""

_HARNESS = """
(function () {
  const { parse, stringify } = JSON;
  const Make = Function;
  const Unreadable = SyntaxError;
  const silent = () => undefined;
  globalThis.console = { log: silent, info: silent, warn: silent, error: silent, debug: silent };
  const told = (kind, thrown) => {
    const known = thrown instanceof Error;
    const text = known ? `${thrown.name}: ${thrown.message}` : `threw ${thrown}`;
    return `-${kind} ${text}\\n${known ? thrown.stack : ""}`;
  };
  return (code, variables) => {
    const ctx = { variables: parse(variables) };
    let run;
    try { run = new Make("ctx", code); } catch (thrown) { return told("syntax", thrown); }
    try { run(ctx); } catch (thrown) { return told("thrown", thrown); }
    try { return `+${stringify(ctx.variables)}`; } catch (thrown) { return told("output", thrown); }
  };
})()
"""


def main() -> int:
    """Read, run, write, exit."""
    length = int(sys.stdin.buffer.readline())
    code = sys.stdin.buffer.read(length).decode("utf-8", "replace")
    said = outcome(code, sys.stdin.buffer.read().decode("utf-8", "replace"))
    sys.stdout.buffer.write(said.encode("utf-8", "replace"))
    return 0


def outcome(code: str, variables: str) -> str:
    """What the script came to, as it is written to stdout."""
    import _quickjs  # type: ignore[import-not-found]  # noqa: PLC0415 - its package would start a thread

    context = _quickjs.Context()
    context.set_memory_limit(MEMORY_BYTES)
    context.set_max_stack_size(STACK_BYTES)
    run = context.eval(_HARNESS)
    context.set_time_limit(CPU_S)
    _confine()
    try:
        said: object = run(code, variables)
    except _quickjs.StackOverflow:
        return "-stack called itself too deeply"
    except _quickjs.JSException as error:
        return _limit(str(error))
    if not isinstance(said, str):
        return "-thrown nothing that can be understood"
    return _variables(said) if said.startswith("+") else _failure(said)


def _variables(said: str) -> str:
    if len(said) > MAX_OUT:
        return f"-output the variables have {len(said) - 1} characters as JSON, at most {MAX_OUT} are taken"
    return said if said.startswith("+{") else "-output ctx.variables is no longer an object"


def _failure(said: str) -> str:
    """The fault, with the line of the script where that can be told."""
    kind, _, rest = said[1 : 10 * _LONGEST_MESSAGE].partition(" ")
    message, _, stack = rest.partition("\n")
    if "out of memory" in message or "string too long" in message:
        return f"-memory used more than {MEMORY_BYTES // 1024**2} MiB"
    if "Maximum call stack size exceeded" in message:
        return "-stack called itself too deeply"
    if message == "threw null":  # also what the engine throws when there is no memory left for an error
        message = "threw null, or had no memory left"
    line = _line(stack) if kind in ("syntax", "thrown") else 0
    place = f"line {line}: " if line > 0 else ""
    return f"-{kind if kind in WORDS else 'thrown'} {place}{message[:_LONGEST_MESSAGE]}"


def _line(stack: str) -> int:
    """The line of the script that its innermost call was in; 0 where that cannot be told."""
    number, _, _ = stack.partition(_PLACE)[2].partition(":")
    return (
        int(number) - _LINES_BEFORE
        if number.isascii() and number.isdigit() and len(number) < _LONGEST_LINE
        else 0
    )


def _limit(message: str) -> str:
    """What the engine itself ended."""
    if "interrupted" in message:
        return f"-time ran longer than {int(CPU_S * 1000)} ms"
    return f"-memory used more than {MEMORY_BYTES // 1024**2} MiB"


def _confine() -> None:
    """From here on: nothing opened, nothing started, little memory, and the kernel ends it when its time is up."""
    for what, most in (
        (resource.RLIMIT_AS, _size() + _ROOM_BYTES),
        (resource.RLIMIT_CPU, _ALL_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)  # noqa: PLW2901 - never above what holds
        resource.setrlimit(what, (most, most))
    signal.setitimer(signal.ITIMER_PROF, CPU_S + _GRACE_S)


def _size() -> int:
    """The address space that is in use, in bytes."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:  # noqa: PTH123 - pathlib is a tenth of the start
            return int(told.read().split()[0]) * _PAGE_BYTES
    except (OSError, ValueError):
        return 4 * _ROOM_BYTES


if __name__ == "__main__":
    sys.exit(main())
