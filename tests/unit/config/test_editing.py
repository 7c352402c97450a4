"""One value changes, and not another character of the file."""

import difflib
import stat
from pathlib import Path

import pytest

from runner.config import edit
from runner.config.edit import changed_text, set_cap, set_field
from runner.config.loader import load
from runner.config.problems import Problem
from runner.config.settings import Loaded
from runner.money.amounts import Money, from_cents

ENVIRON = {"HOME": "/home/op"}
FILE = """\
# bots of the shop
defaults: {spending_cap_cents: 100, platform: custom, llm_provider: echo, llm_model: echo}   # for all
x-cap: &cap 300

bots:
  plain:   # the first
    # about its name
    name: 'Plain'   # in quotes
    spending_cap_cents: 100   # one dollar

  without:

    # nothing above this
    name: "W"  # said
    description: >
      folded
  block:
    system_prompt: |
      spending_cap_cents: 5
  flow: {name: F, spending_cap_cents: 100}   # on one line
  bare: {}
  empty:
    spending_cap_cents:   # nothing yet
    name: E
  quoted: {"spending_cap_cents" : "100"}
  alias:
    spending_cap_cents: *cap
  reference: {name: ${NAME:-R}, spending_cap_cents: ${CAP:-100}}
  last: {name: L}
  tail:
    name: T"""

CHANGES = {
    "plain": ("-    spending_cap_cents: 100   # one dollar", "+    spending_cap_cents: 250   # one dollar"),
    "without": ("+    spending_cap_cents: 250",),
    "block": ("+    spending_cap_cents: 250",),
    "flow": (
        "-  flow: {name: F, spending_cap_cents: 100}   # on one line",
        "+  flow: {name: F, spending_cap_cents: 250}   # on one line",
    ),
    "bare": ("-  bare: {}", "+  bare: {spending_cap_cents: 250}"),
    "empty": ("-    spending_cap_cents:   # nothing yet", "+    spending_cap_cents: 250   # nothing yet"),
    "quoted": ('-  quoted: {"spending_cap_cents" : "100"}', '+  quoted: {"spending_cap_cents" : 250}'),
    "alias": ("-    spending_cap_cents: *cap", "+    spending_cap_cents: 250"),
    "reference": (
        "-  reference: {name: ${NAME:-R}, spending_cap_cents: ${CAP:-100}}",
        "+  reference: {name: ${NAME:-R}, spending_cap_cents: 250}",
    ),
    "last": ("-  last: {name: L}", "+  last: {spending_cap_cents: 250, name: L}"),
    "tail": ("+    spending_cap_cents: 250",),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "bots.yaml"
    file.write_bytes(FILE.encode())
    return file


def difference(before: str, after: str) -> tuple[str, ...]:
    """The lines that went and came, without their line ends."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return tuple(f"{line[0]}{line[2:]}" for line in lines if line[0] in "+-")


def caps(path: Path) -> dict[str, Money | None]:
    result = load(path, ENVIRON)
    assert isinstance(result, Loaded), str(result)
    return {bot.id: bot.cap for bot in result.settings.bots}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("bot", CHANGES)
def test_only_the_value_changes(path: Path, bot: str, ends: str) -> None:
    path.write_bytes(FILE.replace("\n", ends).encode())
    before = caps(path)
    assert set_cap(path, bot, 250, environ=ENVIRON) is None
    after = path.read_bytes().decode()
    assert difference(FILE, after.replace(ends, "\n")) == CHANGES[bot]
    assert after.count("\n") == after.count(ends)
    assert caps(path) == before | {bot: from_cents(250)}


@pytest.mark.parametrize("bot", CHANGES)
def test_a_cap_is_taken_away(path: Path, bot: str) -> None:
    assert set_cap(path, bot, None, environ=ENVIRON) is None
    assert caps(path)[bot] is None


def test_a_change_back_gives_the_same_bytes(path: Path) -> None:
    for bot in ("plain", "flow"):
        set_cap(path, bot, 7, environ=ENVIRON)
        set_cap(path, bot, 100, environ=ENVIRON)
    assert path.read_bytes() == FILE.encode()


def test_the_mode_is_kept_and_nothing_else_is_left_behind(path: Path) -> None:
    path.chmod(0o640)
    assert set_cap(path, "plain", 1, environ=ENVIRON) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["bots.yaml"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert set_cap(link, "plain", 1, environ=ENVIRON) is None
    assert link.is_symlink()
    assert caps(path)["plain"] == from_cents(1)


@pytest.mark.parametrize(
    ("bot", "cents", "message"),
    [
        ("plane", 1, "there is no bots.plane, did you mean plain?"),
        ("plain", -1, "a cap is a whole number of cents from 0 to 900000000"),
        ("plain", 900_000_001, "a cap is a whole number of cents from 0 to 900000000"),
    ],
)
def test_what_cannot_be_set_is_told(path: Path, bot: str, cents: int, message: str) -> None:
    problem = set_cap(path, bot, cents, environ=ENVIRON)
    assert problem is not None
    assert problem.message == message
    assert path.read_bytes() == FILE.encode()


def test_a_file_that_may_not_be_written_is_left_alone(path: Path) -> None:
    path.chmod(0o444)
    problem = set_cap(path, "plain", 1, environ=ENVIRON)
    assert str(problem) == f"{path}: is read-only"
    assert path.read_bytes() == FILE.encode()


def test_a_change_that_would_be_a_fault_is_refused(path: Path) -> None:
    text = "bots:\n  b: {platform: custom, llm_provider: openai, llm_model: gpt-99}\n"
    path.write_text(text, encoding="utf-8")
    problem = set_cap(path, "b", 100, environ=ENVIRON | {"OPENAI_API_KEY": "k"})
    assert problem is not None
    assert "has no price" in problem.message
    assert path.read_text(encoding="utf-8") == text
    problem = set_field(path, ("bots", "b", "timeout_ms"), 0, environ=ENVIRON)
    assert problem is not None
    assert "from 1 to 60000" in problem.message


def test_secrets_that_only_the_daemon_has_do_not_hinder(path: Path) -> None:
    path.write_text(FILE.replace("name: F,", "name: '${ONLY_THE_DAEMON}',"), encoding="utf-8")
    assert set_cap(path, "flow", 1, environ=ENVIRON) is None
    assert "spending_cap_cents: 1}" in path.read_text(encoding="utf-8")


def test_somebody_elses_change_is_not_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes while ours is being checked."""
    theirs = FILE.replace("'Plain'", "'Theirs'")

    def changed_meanwhile(*_: object) -> None:
        path.write_text(theirs, encoding="utf-8")

    monkeypatch.setattr(edit, "_new_problem", changed_meanwhile)
    problem = set_cap(path, "plain", 1, environ=ENVIRON)
    assert problem is not None
    assert "changed by somebody else" in problem.message
    assert path.read_text(encoding="utf-8") == theirs
    assert [entry.name for entry in path.parent.iterdir()] == ["bots.yaml"]


def test_a_missing_or_broken_file_is_told(path: Path) -> None:
    problem = set_cap(path.parent / "no.yaml", "plain", 1, environ=ENVIRON)
    assert problem is not None
    assert "cannot be read: No such file" in problem.message
    path.write_text("bots: [", encoding="utf-8")
    problem = set_cap(path, "plain", 1, environ=ENVIRON)
    assert problem is not None
    assert "not valid YAML" in problem.message


def test_a_file_that_cannot_be_replaced_is_told(tmp_path: Path) -> None:
    long = tmp_path / ("b" * 250 + ".yaml")  # a new file beside it would have too long a name
    long.write_text(FILE, encoding="utf-8")
    problem = set_cap(long, "plain", 1, environ=ENVIRON)
    assert problem is not None
    assert problem.message == "cannot be written: File name too long"
    assert long.read_text(encoding="utf-8") == FILE


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a word", '"a word"'),
        ("word", "word"),
        ("no", '"no"'),
        ("12", '"12"'),
        ("a: b # c", '"a: b # c"'),
        ("zwei\nZeilen", '"zwei\\nZeilen"'),
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
    ],
)
def test_other_values_are_written_as_yaml(value: edit.Value, written: str) -> None:
    after = changed_text("a: {b: 1}  # c\n", "f.yaml", ("a", "b"), value)
    assert after == f"a: {{b: {written}}}  # c\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: [1]",
        "a: &x {b: 1}\nc: *x",
        "a: {b: &y 1}\nc: *y",
        "",
        "a: 1\na: 2",
    ],
)
def test_what_is_not_plain_is_left_to_a_person(text: str) -> None:
    assert isinstance(changed_text(text, "f.yaml", ("a", "b"), 2), Problem)
