"""`knowledge:` as a file says it: collections of texts that are there."""

from pathlib import Path

import pytest

from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded, Settings
from runner.ports.knowledge import MOST_COLLECTIONS, Collection

BOTS = "\nbots: {ada: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: x}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("money")
    (tmp_path / "docs" / "b.bin").write_bytes(b"\xff\0")
    return tmp_path


def read(folder: Path, knowledge: str) -> Loaded | Problems:
    return parse(f"knowledge: {knowledge}{BOTS}", "bots.yaml", Sources(folder=folder))


def settings(folder: Path, knowledge: str) -> Settings:
    found = read(folder, knowledge)
    assert isinstance(found, Loaded), found
    return found.settings


def problems(folder: Path, knowledge: str) -> list[str]:
    found = read(folder, knowledge)
    assert isinstance(found, Problems), found
    return [f"{one.path}: {one.message}" for one in found.problems]


def test_none_where_nothing_is_said(folder: Path) -> None:
    assert settings(folder, "{}").knowledge == {}


def test_patterns_start_beside_the_file(folder: Path) -> None:
    found = settings(folder, "{handbook: {files: ['docs/*.md', 'docs/a.*']}}").knowledge
    assert found == {"handbook": Collection("handbook", folder, ("docs/*.md", "docs/a.*"))}


@pytest.mark.parametrize(
    ("knowledge", "problem"),
    [
        ("{h: {}}", "knowledge.h.files: required"),
        ("{h: {files: []}}", "knowledge.h.files: "),
        ("{h: {file: [a]}}", "knowledge.h.file: unknown field, did you mean files?"),
        ("{h: {files: ['docs/*.txt']}}", "knowledge.h.files[0]: no file that can be used matches docs/*.txt"),
        ("{h: {files: [docs]}}", "knowledge.h.files[0]: no file that can be used matches docs"),
        ("{h: {files: ['docs/*']}}", "knowledge.h.files: docs/b.bin is not a UTF-8 text, or cannot be read"),
        ("{'a b': {files: ['docs/*.md']}}", "knowledge.a b: a collection's name is 1 to 63 letters"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(folder: Path, knowledge: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(folder, knowledge)), problems(
        folder, knowledge
    )


def test_there_are_not_too_many(folder: Path) -> None:
    many = ", ".join(f"c{n}: {{files: ['docs/*.md']}}" for n in range(MOST_COLLECTIONS + 1))
    assert problems(folder, f"{{{many}}}") == ["knowledge: there are at most 20 collections, here 21"]
