import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.workflows import script
from runner.workflows.moves import MAX_VARIABLES
from runner.workflows.sandbox import Changes, Sandbox, ScriptFailed

ORDER: dict[str, Any] = {"order_data": {"status": "delivered", "days_since_delivery": 3}, "n": 1}


async def test_the_snippet_of_the_documents_works_as_it_stands() -> None:
    code = (
        "const order = ctx.variables.order_data; ctx.variables.is_eligible = "
        "order.status === 'delivered' && order.days_since_delivery < 30;"
    )
    assert await Sandbox().run(code, ORDER) == Changes({"is_eligible": True})


@pytest.mark.parametrize(
    ("code", "changed", "removed"),
    [
        ("", {}, ()),
        ("if (ctx.variables.n) return; ctx.variables.n = 2;", {}, ()),
        ("ctx.variables.n = true", {"n": True}, ()),
        ("ctx.variables.n = 1.0; ctx.variables.f = 0.5", {"f": 0.5}, ()),
        ("delete ctx.variables.n; ctx.variables.m = undefined", {}, ("n",)),
        ("ctx.variables.a = [NaN, 1e999, new Date(0)]", {"a": [None, None, "1970-01-01T00:00:00.000Z"]}, ()),
        ("console.log('hi'); ctx.variables.t = `ü ${'x'.repeat(3)}`", {"t": "ü xxx"}, ()),
        ("ctx.variables.t = 'a\\ud800b'", {"t": "a?b"}, ()),
        ("ctx.variables = {...ctx.variables, sum: [1, 2].reduce((a, b) => a + b)}", {"sum": 3}, ()),
    ],
)
async def test_what_scripts_do(code: str, changed: dict[str, Any], removed: tuple[str, ...]) -> None:
    assert await Sandbox().run(code, ORDER) == Changes(changed, removed)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("let a = ;", "line 1: SyntaxError: "),
        ("let a = 1;\nfoo.bar", "line 2: ReferenceError: foo is not defined"),
        ("throw 'no'", "threw no"),
        ("throw null", "threw null, or had no memory left"),
        ("}); steal(); (function () {", "line 1: ReferenceError: steal is not defined"),
        ("await x", "line 1: SyntaxError: "),
    ],
)
async def test_mistakes_are_said(code: str, message: str) -> None:
    answer = await Sandbox().run(code, {})
    assert isinstance(answer, ScriptFailed)
    assert answer.trouble in ("syntax", "thrown")
    assert answer.message.startswith(message)


HOSTILE = [
    # endless
    ("while (true) {}", "time"),
    ("for (;;) try { for (;;); } catch (e) {} finally { continue; }", "time"),
    ("throw { toString() { for (;;); } }", "time"),
    ("ctx.variables.x = { toJSON() { for (;;); } }", "time"),
    ("/(a+)+$/.test('a'.repeat(40) + 'b')", "time"),
    ("const a = 'a'.repeat(5e6); a.indexOf(a.slice(2.5e6) + 'b')", "time"),  # the engine does not look up
    # memory
    ("const a = []; for (;;) a.push('x'.repeat(1e5) + a.length)", "memory"),
    ("'x'.repeat(1e9)", "memory"),
    ("let s = 'x'; for (;;) s += s", "memory"),
    # output
    ("ctx.variables.x = 'x'.repeat(2e6)", "output"),
    ("ctx.variables.x = ctx.variables", "output"),
    ("ctx.variables.x = 1n", "output"),
    ("ctx.variables = 3", "output"),
    ("let o = ctx.variables; for (let i = 0; i < 200; i++) o = o.a = {}", "output"),
    # recursion
    ("function f() { return f() + 1 } f()", "stack"),
    ("const a = {}; a.toString = () => `${a}`; `${a}`", "stack"),
    ("let o = ctx.variables; for (let i = 0; i < 1e5; i++) o = o.a = {}", "stack"),
    ("JSON.parse('['.repeat(1e5))", "stack"),
    # the host
    ("Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", "thrown"),
    ("import x from 'os'", "syntax"),
]


@pytest.mark.parametrize(("code", "trouble"), HOSTILE, ids=[code[:50] for code, _ in HOSTILE])
async def test_a_hostile_script_is_an_error_of_its_node(code: str, trouble: str) -> None:
    answer = await Sandbox().run(code, ORDER)
    assert isinstance(answer, ScriptFailed)
    assert answer.trouble == trouble, answer
    assert 0 < len(answer.message) <= 320
    assert "\n" not in answer.message


@pytest.mark.parametrize(
    "code",
    [
        "Object.prototype.evil = 1; Array.prototype.push = null; JSON.stringify = () => '{}'; JSON = null",
        "ctx.variables.__proto__.evil = 1; ctx.variables.constructor.prototype.evil = 2",
        "Object.freeze(Object.prototype); Object.setPrototypeOf(ctx.variables, null)",
        "globalThis.ctx = { variables: { evil: 1 } }; ctx.evil = 1",
        "import('os').then((os) => { ctx.variables.evil = os })",
        "Promise.resolve().then(() => { for (;;); })",
        "queueMicrotask(() => { for (;;); })",
        "new FinalizationRegistry(() => { for (;;); }).register({}, 1)",
    ],
)
async def test_tricks_come_to_nothing(code: str) -> None:
    assert await Sandbox().run(code, ORDER) == Changes({})


async def test_nothing_stays_for_the_next_script() -> None:
    one = Sandbox()
    assert await one.run("Object.prototype.evil = 1; globalThis.evil = 1", ORDER) == Changes({})
    assert await one.run("ctx.variables.evil = {}.evil ?? globalThis.evil", ORDER) == Changes({})


async def test_there_is_no_host() -> None:
    words = "process require module std os Deno Bun fetch setTimeout print scriptArgs load read gc python"
    world = "ctx.constructor.constructor('return this')()"
    code = f"ctx.variables.found = {words.split()!r}.filter((word) => {world}[word])"
    assert await Sandbox().run(code, ORDER) == Changes({"found": []})


async def test_a_file_that_is_there_cannot_be_imported(tmp_path: Path) -> None:
    there = tmp_path / "there.js"
    there.write_text("globalThis.evil = 1; export default 1;")
    code = f"import({json.dumps(str(there))}).then((m) => {{ ctx.variables.evil = m.default }})"
    assert await Sandbox().run(code, ORDER) == Changes({})


async def test_variables_that_are_too_large_are_not_even_sent() -> None:
    answer = await Sandbox().run("", {"x": "x" * MAX_VARIABLES})
    assert answer == ScriptFailed("output", "the variables are too large for a script")


async def test_code_of_the_user_is_data() -> None:
    spiteful: dict[str, Any] = {
        "message": "'); while (true) {} ('",
        "__proto__": {"evil": 1},
        "toJSON": "x",
        "ü\u2028": "`${1}`",
    }
    assert await Sandbox().run("ctx.variables.m = ctx.variables.message.length", spiteful) == Changes(
        {"m": 22}
    )


# ---------------------------------------------------------------------------- processes that go wrong


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "program.py"
    path.write_text(f"import os, signal, sys, time\n{text}\n")
    return path


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("os.abort()", ScriptFailed("broken", "its process broke down")),
        ("sys.exit(1)", ScriptFailed("broken", "its process broke down")),
        ("sys.exit(0)", ScriptFailed("broken", "its process said nothing that can be understood")),
        ("os.kill(os.getpid(), signal.SIGXCPU)", ScriptFailed("time", "ran too long")),
        ("os.kill(os.getpid(), signal.SIGPROF)", ScriptFailed("time", "ran too long")),
        ("os.write(1, b'-bogus news')", ScriptFailed("broken", "news")),
        ("os.write(1, b'-time')", ScriptFailed("time", "said nothing")),
        (
            "while True: os.write(1, b'+' * 65536)",
            ScriptFailed("broken", "its process said nothing that can be understood"),
        ),
        *(
            (
                f"os.write(1, b'+' + {said!r})",
                ScriptFailed(
                    "output", "left variables that cannot be taken: too large, or nested too deeply"
                ),
            )
            for said in (
                b"[]",
                b"{",
                b'{"a":NaN}',
                b'{"a":1e999}',
                b'{"a":' + b"9" * 5000 + b"}",
                b'{"a":' + b"[" * 50_000,
                b"\xff",
            )
        ),
    ],
)
async def test_whatever_its_process_does(tmp_path: Path, text: str, answer: ScriptFailed) -> None:
    assert await Sandbox(program=program(tmp_path, text)).run("", {}) == answer


async def test_a_process_that_stands_still_is_given_up(tmp_path: Path) -> None:
    """The one place where real time is the point."""
    stuck = Sandbox(patience_s=0.2, program=program(tmp_path, "time.sleep(600)"))
    assert await stuck.run("", {}) == ScriptFailed("broken", "its process did not end in time")


async def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert await Sandbox().run("", {}) == ScriptFailed("broken", "no process could be started for it")


async def test_a_few_run_at_a_time(tmp_path: Path) -> None:
    """Each looks how many others there are, and stays a little so that others could come."""
    here = tmp_path / "here"
    here.mkdir()
    mine = f"mine = {str(here)!r} + f'/{{os.getpid()}}'\nopen(mine, 'w').close()"
    look = f"time.sleep(0.2)\nmany = len(os.listdir({str(here)!r}))\nos.remove(mine)"
    few = Sandbox(program=program(tmp_path, f"{mine}\n{look}\nos.write(1, b'+{{\"n\": %d}}' % many)"))
    answers = await asyncio.gather(*(few.run("", {}) for _ in range(5)))
    assert all(isinstance(answer, Changes) and answer.variables["n"] in (1, 2) for answer in answers), answers


# ------------------------------------------------------------------------------------ its own process


def alone(code: str, before: str = "") -> str:
    """What `script` says, in a process of its own, after some preparations."""
    program = f"{before}\nimport sys\nsys.path.insert(0, {str(Path(script.__file__).parent)!r})\n"
    program += f"import script\nprint(script.outcome({code!r}, '{{}}'), end='')"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_the_engine_needs_no_memory_that_is_written_and_run() -> None:
    """As the systemd unit has it; a kernel older than 6.3 cannot forbid it this way."""
    forbid = "import ctypes\nif ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): raise SystemExit"
    assert alone("ctx.variables.a = /a+/.exec('baa')[0]", forbid) in ('+{"a":"aa"}', "")


def test_the_process_can_open_nothing_afterwards() -> None:
    try_it = (
        "import atexit, sys\n"
        "@atexit.register\n"
        "def last():\n"
        "    for what in (lambda: open('/dev/null'), lambda: __import__('socket').socket()):\n"
        "        try: what(); sys.stdout.write('|opened')\n"
        "        except OSError: sys.stdout.write('|refused')\n"
        "import socket"
    )
    assert alone("", try_it) == "+{}|refused|refused"


def test_the_daemon_does_not_load_the_engine() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, runner.workflows.sandbox, runner.workflows.engine\nprint(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert not {"_quickjs", "quickjs", "re2", "jmespath", "pydantic"} & set(loaded)
