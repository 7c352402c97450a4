"""Which word on a bot's cap counts: the later one, whatever order they are seen in, and never one that was dropped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runner.config.fields import MOST_CENTS
from runner.config.hand_caps import FileCap, HandCap, later_than, prefix_of, read_words, seen, verdict

CENTS = st.one_of(st.none(), st.integers(0, 3), st.integers(0, MOST_CENTS))
MOMENTS = st.integers(0, 50)
WORDS = st.lists(
    st.builds(HandCap, bot=st.just("shop"), at_ms=MOMENTS, cents=CENTS, file=CENTS),
    max_size=5,
    unique_by=lambda word: word.at_ms,
)
FILES = st.builds(FileCap, cents=CENTS, since_ms=MOMENTS)


@given(WORDS)
def test_a_word_is_read_as_it_was_written(words: Sequence[HandCap]) -> None:
    values = {word.key: word.text for word in words}
    assert read_words(values).get("shop", ()) == tuple(sorted(words, key=lambda word: word.at_ms))
    assert all(key.startswith(prefix_of("shop")) for key in values)


@given(
    st.dictionaries(st.text(max_size=30).map(lambda text: f"cap/{text}"), st.text(max_size=40), max_size=5)
)
def test_what_is_no_word_is_none(values: dict[str, str]) -> None:
    for words in read_words(values).values():
        assert all(word.key in values for word in words)


@given(FILES, WORDS, st.randoms(use_true_random=False))
def test_the_order_in_which_words_are_seen_changes_nothing(
    file: FileCap, words: list[HandCap], chance: Random
) -> None:
    found = verdict(file, words)
    chance.shuffle(words)
    assert verdict(file, words) == found


@given(FILES, WORDS)
def test_what_is_over_makes_no_difference(file: FileCap, words: list[HandCap]) -> None:
    found = verdict(file, words)
    left = [word for word in words if word not in found.over]
    assert len(left) <= 1
    assert verdict(file, left).cents == found.cents
    assert not verdict(file, left).over


@given(FILES, WORDS)
def test_the_latest_hand_counts_unless_the_file_says_something_else_since(
    file: FileCap, words: list[HandCap]
) -> None:
    found = verdict(file, words)
    if not words:
        assert found.cents == file.cents
        return
    latest = max(words, key=lambda word: word.at_ms)
    file_spoke_later = file.cents != latest.file and file.since_ms > latest.at_ms
    assert found.cents == (file.cents if file_spoke_later else latest.cents)


@dataclass
class Daemon:
    """A daemon with its own copy of the file."""

    known: dict[str, FileCap] = field(default_factory=dict)
    file: int | None = 1

    def cap(self, values: dict[str, str], now_ms: int) -> int | None:
        """Read the file, lay what is shared over it, drop what is over."""
        self.known = dict(seen(self.known, {"shop": self.file}, now_ms))
        found = verdict(self.known["shop"], read_words(values).get("shop", ()))
        for word in found.over:
            values.pop(word.key, None)
        return found.cents


class Fleet(RuleBasedStateMachine):
    """Two daemons, hands at both, a file that is deployed to one after the other.

    The rule that people can count on: once all daemons have the same file and have looked, they hold the same cap,
    and it is the last word of all that were said while they had the same file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 100
        self.values: dict[str, str] = {}
        self.daemons = (Daemon(), Daemon())
        self.expected: int | None = 1
        self.look()

    def look(self) -> None:
        for daemon in self.daemons:
            daemon.cap(self.values, self.now_ms)

    @rule(who=st.integers(0, 1), cents=CENTS, later_ms=st.integers(0, 2))
    def set_by_hand(self, who: int, cents: int | None, later_ms: int) -> None:
        self.now_ms += later_ms
        there = read_words(self.values).get("shop", ())
        word = HandCap("shop", later_than(there, self.now_ms), cents, self.daemons[who].file)
        self.values[word.key] = word.text
        self.expected = cents
        self.look()

    @rule(cents=CENTS, first=st.integers(0, 1))
    def deploy(self, cents: int | None, first: int) -> None:
        self.now_ms += 10
        changes = self.daemons[0].file != cents
        for who in (first, 1 - first):
            self.daemons[who].file = cents
            self.look()
        if changes:
            self.expected = cents

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.now_ms += 10
        self.daemons[who].known = {}
        self.look()

    @invariant()
    def they_agree_on_the_last_word(self) -> None:
        caps = [daemon.cap(self.values, self.now_ms) for daemon in self.daemons]
        assert caps == [self.expected, self.expected]
        assert len(self.values) <= 1


TestFleet = Fleet.TestCase
