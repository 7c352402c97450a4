"""The composition root's edges: a faulty file, a talk without a daemon, what goes to the log."""

import asyncio
import logging
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.app import chat_session, run_daemon, settings_of
from runner.errors import OperatorError, StoreRefused

BOTS = """
bots:
  hello: {platform: custom, llm_provider: echo, llm_model: echo, spending_cap_cents: 100, system_prompt: Be kind.}
  resting: {enabled: false, platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Rest.}
"""


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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "bots.yaml"
    made.write_text(BOTS)
    return made


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"BOTRUNNER_STATE": str(tmp_path / "state")}


def mode_of(folder: str) -> int | None:
    """Who may do what with it; None where there is none."""
    return stat.S_IMODE(Path(folder).stat().st_mode) if Path(folder).exists() else None


def test_a_good_file_has_settings_and_no_warnings(file: Path, environ: dict[str, str]) -> None:
    settings, odd = settings_of(file, environ)
    assert [bot.id for bot in settings.bots] == ["hello", "resting"]
    assert odd == ()


def test_all_problems_of_a_file_are_told_at_once_with_their_lines(
    file: Path, environ: dict[str, str]
) -> None:
    file.write_text(
        BOTS.replace("platform: custom", "platfrom: custom", 1)
        + "  third: {platform: telegram}\nsrever: {}\n"
    )
    with pytest.raises(OperatorError) as told:
        settings_of(file, environ)
    first, *rest = str(told.value).splitlines()
    assert first.startswith(f"{file} cannot be used, ")
    assert first.endswith(" problems:")
    assert len(rest) == int(first.split(", ")[1].split()[0]) > 2
    assert all(line.startswith(f"{file}:") for line in rest)
    assert "check" in told.value.hint


def test_one_problem_is_one(file: Path, environ: dict[str, str]) -> None:
    file.write_text(f"server: {{port: 99999}}\n{BOTS}")
    with pytest.raises(OperatorError, match="1 problem:"):
        settings_of(file, environ)


def test_a_file_that_is_not_there(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match=r"nothing\.yaml"):
        settings_of(tmp_path / "nothing.yaml", environ)


def test_a_level_that_is_none_stops_the_start(file: Path, environ: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match=r"BOTRUNNER_LOG.*loud") as told:
        run_daemon(file, {**environ, "BOTRUNNER_LOG": "LOUD"})
    assert "debug, info, warning, error" in told.value.hint


async def test_a_talk_without_a_daemon_is_charged_and_remembered(file: Path, environ: dict[str, str]) -> None:
    async with chat_session(file, environ, "hello") as say:
        first = await say("one")
        assert "one" in first["response"]
        assert first["loop_iterations"] == 1
    async with chat_session(file, environ, "hello") as say:
        second = await say("two")
    assert second["conversation_id"] == first["conversation_id"]


async def test_the_state_folder_is_its_owners(file: Path, environ: dict[str, str]) -> None:
    async with chat_session(file, environ, "hello"):
        pass
    assert mode_of(environ["BOTRUNNER_STATE"]) == 0o700


async def test_several_say_something_at_once(file: Path, environ: dict[str, str]) -> None:
    async with chat_session(file, environ, "hello") as say:
        answers = await asyncio.gather(*[say(f"word {number}") for number in range(5)])
    assert [f"word {number}" in told["response"] for number, told in enumerate(answers)] == [True] * 5


@pytest.mark.parametrize(("bot", "why"), [("nobody", "there is no bot 'nobody'"), ("resting", "disabled")])
async def test_a_bot_that_cannot_be_talked_to(
    bot: str, why: str, file: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(OperatorError, match=why) as told:
        async with chat_session(file, environ, bot):
            pass
    assert told.value.hint
    assert mode_of(environ["BOTRUNNER_STATE"]) is None, "nothing was opened for it"


async def test_a_store_in_use_is_refused(file: Path, environ: dict[str, str]) -> None:
    async with chat_session(file, environ, "hello"):
        with pytest.raises(StoreRefused, match="in use by another daemon"):
            async with chat_session(file, environ, "hello"):
                pass
