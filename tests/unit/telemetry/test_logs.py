"""What a log line looks like, where it goes, and what is never in it."""

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ports.observer import Fault
from runner.telemetry.logs import LEVEL_NAMES, Cut, configure
from runner.telemetry.watching import Watching

SECRET = "42:AAF-bot/token+with=signs"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is the process's: put back what pytest has there."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def log(stream: TextIO, *secrets: str, level: str = "info", **environ: str) -> Any:
    return configure(level, stream, environ, Cut(secrets))


def test_json_lines_where_nobody_looks() -> None:
    stream = io.StringIO()
    log(stream).info("ready", url="http://127.0.0.1:1", bots=3, cost=0.5, why=None, ok=True)
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "ready",
        "level": "info",
        "url": "http://127.0.0.1:1",
        "bots": 3,
        "cost": 0.5,
        "why": None,
        "ok": True,
    }


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_line_is_a_line_whatever_is_in_it(text: str, value: str) -> None:
    stream = io.StringIO()
    log(stream).info("x", why=text, more=value)
    assert len(stream.getvalue().splitlines()) == 1
    assert lines(stream)[0]["why"] == text


def test_a_terminal_has_colours_unless_they_are_not_wanted() -> None:
    for environ, colours in (({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)):
        stream = Terminal()
        log(stream, **environ).warning("limit reached", bot="shop")
        assert ("\x1b[" in stream.getvalue()) == colours, environ
        assert "limit reached" in stream.getvalue()
        assert not stream.getvalue().startswith("{")


def test_journald_tells_the_time_itself_but_only_where_it_reads(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as file:
        here = os.fstat(file.fileno())
        ours = f"{here.st_dev}:{here.st_ino}"
        for stream in (ours, f"{here.st_dev}:{here.st_ino + 1}", ""):
            log(file, JOURNAL_STREAM=stream).info("x")
        file.seek(0)
        assert ["timestamp" in json.loads(line) for line in file] == [False, True, True]


@pytest.mark.parametrize("level", LEVEL_NAMES)
def test_a_level_says_what_is_worth_a_line(level: str) -> None:
    stream = io.StringIO()
    logger = log(stream, level=level)
    for name in LEVEL_NAMES:
        getattr(logger, name)("x")
    assert [line["level"] for line in lines(stream)] == list(LEVEL_NAMES[LEVEL_NAMES.index(level) :])


def test_libraries_are_heard_from_warning_up_in_lines_of_ours() -> None:
    stream = io.StringIO()
    log(stream)
    library = logging.getLogger("some.library")
    library.info("nobody asked")
    library.warning("odd: %s", "thing")
    library.error("failed", exc_info=ValueError("inner"))
    told = [(line["level"], line["logger"], line["message"]) for line in lines(stream)]
    assert told == [
        ("warning", "some.library", "odd: thing"),
        ("error", "some.library", "failed: ValueError('inner')"),
    ]


def test_a_librarys_bad_log_call_is_a_line_and_not_its_callers_trouble() -> None:
    stream = io.StringIO()
    log(stream)
    logging.getLogger("bad").warning("%d and %s", "one")  # noqa: PLE1206 - as libraries do
    assert "%d and %s" in lines(stream)[0]["message"]


def test_what_libraries_warn_of_is_a_line_too() -> None:
    stream = io.StringIO()
    log(stream, SECRET)
    warnings.simplefilter("always")
    warnings.warn(f"old way to pass {SECRET}", DeprecationWarning, stacklevel=1)
    [line] = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "old way to pass ***" in line["message"]


def _say_it_every_way(stream: TextIO) -> None:
    logger = log(stream, SECRET, "sk-\"quoted\\'", "ü-ключ", level="debug")
    library = logging.getLogger("some.library")
    for secret in (SECRET, "42%3AAAF-bot%2Ftoken%2Bwith%3Dsigns", "sk-\"quoted\\'", "ü-ключ"):
        text = f"using {secret}"
        logger.info(text, why=f"status 401 for {secret}!", url=f"https://x/bot{secret}/getMe")
        library.warning("retry %s", secret)
        error = ValueError(secret)
        library.error("failed", exc_info=error)
        Watching(logger).note(Fault(f"where {secret}", repr(error), error=error))


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_no_secret_is_in_any_line(kind: type[io.StringIO]) -> None:
    stream = kind()
    _say_it_every_way(stream)
    said = stream.getvalue()
    assert said.count("***") >= 20
    for word in ("AAF-bot", "sk-", "quoted", "ключ", "\\u043a"):
        assert word not in said


def test_the_longest_secret_is_cut_first() -> None:
    stream = io.StringIO()
    log(stream, "abcd", "abcdefgh", "").info("x", why="abcdefgh abcd")
    assert lines(stream)[0]["why"] == "*** ***"


def test_a_word_of_three_letters_is_no_secret() -> None:
    stream = io.StringIO()
    log(stream, "key", "").info("monkey", why="a key")
    assert lines(stream)[0]["why"] == "a key"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    with Path("/dev/full").open("wb", buffering=0) as raw:
        full = io.TextIOWrapper(raw, write_through=True)
        with pytest.raises(OSError, match="space"):
            full.write("so it is")
        logger = log(full)
        logger.info("x")
        Watching(logger).note(Fault("here", "why"))
        logging.getLogger("lib").warning("x")
        full.detach()
    logger.error("the stream is gone")


def test_a_secret_that_came_later_is_cut_out_and_so_is_the_one_before() -> None:
    stream = io.StringIO()
    cut = Cut(["sk-first-key"])
    logger = configure("info", stream, {}, cut)
    logger.info("before", why="sk-first-key sk-second-key")
    cut.add(["sk-second-key", "", "abc"])
    logger.info("after", why="sk-first-key sk-second-key abc")
    assert [line["why"] for line in lines(stream)] == ["*** sk-second-key", "*** *** abc"]
