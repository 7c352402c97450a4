"""Knowledge: what is found in files, whatever is asked, whatever the files are; beside the event loop."""

import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.ports.knowledge import (
    MAX_FILE_BYTES,
    MAX_PASSAGE,
    MOST_FILES,
    MOST_FOUND,
    Collection,
    NotFound,
    Passage,
)
from runner.ports.observer import Fault
from runner.store.knowledge import files, shelf
from runner.store.knowledge.asking import MOST_WORDS, match_of
from runner.store.knowledge.files import stamped
from runner.store.knowledge.library import LOOK_AGAIN_S, Library
from runner.store.knowledge.passages import TARGET, pieces
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

RETURNS = """\
# Returns

You may return what you bought within 30 days.

## Refunds

The money is back on your account after five working days.
Grüße an die Buchhaltung.

# Shipping

We ship to Österreich in two days.
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Shop:
    """A library, the collections in force, and what was told."""

    def __init__(self, clock: ManualClock) -> None:
        self.collections: dict[str, Collection] = {}
        self.told = RecordingObserver()
        self.library = Library(lambda: self.collections, clock, self.told)

    def stock(self, *collections: Collection) -> None:
        self.collections = {one.name: one for one in collections}

    async def search(self, collection: str, query: str, most: int = 5) -> tuple[Passage, ...] | NotFound:
        return await self.library.search(collection, query, most)


@pytest.fixture
async def library(clock: ManualClock) -> AsyncIterator[Shop]:
    shop = Shop(clock)
    yield shop
    await shop.library.close()


@pytest.fixture
def handbook(tmp_path: Path) -> Collection:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "shop.md").write_text(RETURNS, encoding="utf-8")
    return Collection("handbook", tmp_path, ("docs/*.md",))


async def found(library: Shop, query: str, most: int = 5) -> list[Passage]:
    passages = await library.search("handbook", query, most)
    assert not isinstance(passages, NotFound), passages
    return list(passages)


# ── what is found ────────────────────────────────────────────────────────────────────────────────────────
async def test_the_passage_that_fits_best_comes_first(library: Shop, handbook: Collection) -> None:
    library.stock(handbook)
    first, *_ = await found(library, "How long until I get my refund, the money?")
    assert first.text.startswith("The money is back")
    assert first.source == "docs/shop.md § Refunds"
    assert first.score > 0
    scores = [one.score for one in await found(library, "days money ship return")]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert len(await found(library, "days money ship return", 2)) == 2


@pytest.mark.parametrize("query", ["osterreich", "ÖSTERREICH", "oster", "gruße", "GRÜßE"])
async def test_accents_case_and_the_ends_of_words_do_not_matter(
    library: Shop, handbook: Collection, query: str
) -> None:
    library.stock(handbook)
    assert await found(library, query)


@pytest.mark.parametrize("query", ["", "   ", "?!", "_", "zebra", "🙂", "\0", "😀" * 5000])
async def test_where_nothing_fits_nothing_is_found(library: Shop, handbook: Collection, query: str) -> None:
    library.stock(handbook)
    assert await found(library, query) == []


@pytest.mark.parametrize(
    "query",
    ['"', "money OR", "NEAR(money days)", "money*", "-money", "^money", "text:money", "{money}", "(money", "money'; --",
     'money" OR "', "AND NOT money", "money\udc80", "+money", "NEAR/2 money"],
)  # fmt: skip
async def test_nothing_that_a_user_writes_is_syntax(library: Shop, handbook: Collection, query: str) -> None:
    library.stock(handbook)
    passages = await found(library, query)
    assert bool(passages) == ("money" in query)


def test_a_query_is_bounded() -> None:
    assert match_of("a b " * 100_000).count('"') == 4
    assert match_of(" ".join(f"w{n}" for n in range(500))).count('"') == 2 * MOST_WORDS
    assert len(match_of("x" * 100_000)) < 100


async def test_without_a_collection_there_is_a_reason(library: Shop, handbook: Collection) -> None:
    nothing = await library.search("handbook", "money", 5)
    library.stock(handbook)
    other = await library.search("hand", "money", 5)
    assert nothing == NotFound("there is no collection 'handbook'")
    assert other == NotFound("there is no collection 'hand'")


async def test_no_more_is_found_than_an_answer_holds(library: Shop, tmp_path: Path) -> None:
    (tmp_path / "all.md").write_text("\n\n".join(f"# h{n}\n\nmoney {n}" for n in range(50)))
    library.stock(Collection("handbook", tmp_path, ("*.md",)))
    assert len(await found(library, "money", 1000)) == MOST_FOUND


# ── files that change ────────────────────────────────────────────────────────────────────────────────────
async def test_a_file_that_changed_is_taken_in_without_a_reload_and_no_other(
    library: Shop, handbook: Collection, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = handbook.folder / "docs"
    (docs / "gone.md").write_text("zebra")
    library.stock(handbook)
    assert await found(library, "zebra")
    taken_in: list[str] = []

    def noting(path: Path) -> str | None:
        taken_in.append(path.name)
        return files.read(path)

    monkeypatch.setattr(shelf, "read", noting)
    (docs / "gone.md").unlink()
    (docs / "new.md").write_text("a giraffe")
    assert await found(library, "giraffe") == []  # nobody has looked again yet
    clock.advance(LOOK_AGAIN_S)
    assert [one.source for one in await found(library, "giraffe")] == ["docs/new.md"]
    assert await found(library, "zebra") == []
    assert await found(library, "refund")
    assert taken_in == ["new.md"]
    (docs / "new.md").write_text("an elephant")
    clock.advance(LOOK_AGAIN_S)
    assert await found(library, "elephant")
    assert await found(library, "giraffe") == []


async def test_collections_come_go_and_change(library: Shop, handbook: Collection, tmp_path: Path) -> None:
    library.stock(handbook)
    (tmp_path / "other.txt").write_text("zebra")
    library.stock(Collection("handbook", tmp_path, ("other.txt",)), Collection("b", tmp_path, ("docs/*",)))
    assert await found(library, "zebra")
    assert await found(library, "money") == []
    assert await library.search("b", "money", 1)
    library.stock()
    assert isinstance(await library.search("b", "money", 1), NotFound)


async def test_no_thread_before_there_is_a_collection(clock: ManualClock) -> None:
    library = Library(dict, clock, RecordingObserver())
    assert isinstance(await library.search("c", "money", 1), NotFound)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("knowledge")]
    await library.close()


async def test_a_failing_database_is_a_reason_and_no_crash(
    library: Shop, handbook: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    library.stock(handbook)
    with monkeypatch.context() as patched:
        patched.setattr("runner.store.knowledge.shelf.match_of", broken)
        result = await library.search("handbook", "money", 1)
    assert isinstance(result, NotFound)
    assert "disk is full" in result.why
    assert await found(library, "money")


# ── files that are not what they should be ───────────────────────────────────────────────────────────────
async def test_what_cannot_be_read_is_left_out_and_told(library: Shop, tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("money")
    (tmp_path / "picture.md").write_bytes(b"\x89PNG\xff\xfe")
    (tmp_path / "nul.md").write_bytes(b"money\0")
    (tmp_path / "large.md").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "loose.md").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.md")
    library.stock(Collection("handbook", tmp_path, ("*.md",)))
    assert [one.source for one in await found(library, "money")] == ["good.md"]
    told = [event.why for event in library.told.events if isinstance(event, Fault)]
    assert sorted(told) == [
        "handbook: large.md is too large: more than 2 MiB",
        "handbook: nul.md is not a UTF-8 text, or cannot be read",
        "handbook: picture.md is not a UTF-8 text, or cannot be read",
    ]


def test_too_many_files_are_cut_and_told(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 2):
        (tmp_path / f"{number:04}.md").touch()
    files, missed = stamped(Collection("c", tmp_path, ("*.md", "**/*.md")))
    assert len(files) == MOST_FILES
    assert missed == [f"more than {MOST_FILES} files: {MOST_FILES:04}.md and those after it are left out"]


def test_absolute_patterns_and_the_same_file_twice(tmp_path: Path) -> None:
    (tmp_path / "a.md").touch()
    files, missed = stamped(Collection("c", Path("/nowhere"), (f"{tmp_path}/*.md", f"{tmp_path}/a.md")))
    assert list(files) == [tmp_path / "a.md"]
    assert missed == []


# ── passages ─────────────────────────────────────────────────────────────────────────────────────────────
def test_paragraphs_are_put_together_below_their_heading() -> None:
    found = [(piece.heading, piece.text) for piece in pieces(RETURNS)]
    assert [heading for heading, _ in found] == ["Returns", "Refunds", "Shipping"]
    assert [piece.text for piece in pieces("one\n\n\n two\r\n\r\nthree")] == ["one\n\ntwo\n\nthree"]


@pytest.mark.parametrize("text", ["", "\n \n", "# only a heading", "#no heading"])
def test_little_text(text: str) -> None:
    assert [piece.text for piece in pieces(text)] == (["#no heading"] if text == "#no heading" else [])


@pytest.mark.parametrize(
    "text", ["word " * 3000, "x" * 10_000, "A sentence. " * 900, "line\n" * 3000, "ü\n\n" * 5000]
)
def test_long_texts_are_cut_and_nothing_is_lost(text: str) -> None:
    found = list(pieces(text))
    assert max(len(piece.text) for piece in found) <= MAX_PASSAGE
    assert "".join("".join(piece.text for piece in found).split()) == "".join(text.split())
    assert len(found) <= len(text) / TARGET * 3 + 1
