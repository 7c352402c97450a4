"""Whatever is changed in a bots.yaml: the values are the intended ones, and all else stands as it stood."""

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.config.document import read_document
from runner.config.edit_layout import layout
from runner.config.edit_text import Change, Put, Remove, intended, same, with_changes
from runner.config.edit_writing import flow, lines_of

FIELDS = ("name", "system_prompt", "spending_cap_cents", "access", "tools", "fallbacks", "llm_config")
MARK = re.compile(r"#c\d+")

TRICKY = """yes|12|1e3|~|- a|a: b|a #b|${X}|$$|*x|&x|'|"\\|two\nlines|two\nlines\n| lead\nline|a\n\n b\n|x \nx|\n\n"""
texts = st.text(st.characters(exclude_categories=("Cs", "Co")), max_size=12) | st.sampled_from(
    ["", "|", "\ttab\nx", "\r\n", "\x85", "\ufeff", *TRICKY.split("|")]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@dataclass
class Author:
    """Somebody who writes a file in many styles and comments on everything; each comment is another."""

    draw: Any
    comments: int = 0

    def comment(self) -> str:
        self.comments += 1
        return f"#c{self.comments}"

    def line(self, text: str) -> str:
        return f"{text}  {self.comment()}" if self.draw(st.booleans()) else text

    def between(self, indent: str) -> list[str]:
        kind = self.draw(st.sampled_from(["", "", "blank", "comment", "both"]))
        return {"": [], "blank": [""], "comment": [indent + self.comment()]}.get(
            kind, ["", indent + self.comment()]
        )

    def entry(self, indent: str, key: str, value: Any) -> list[str]:
        """One entry, on one line or on more."""
        if self.draw(st.booleans()) or not isinstance(value, dict) or not value:
            first, *more = lines_of(value, indent + "  ")
            shown = (
                f"{indent}{flow(key)}:{first}"
                if self.draw(st.booleans()) or more
                else f"{indent}{flow(key)}: {flow(value)}"
            )
            literal = more and first
            return [shown if literal else self.line(shown), *more]
        lines = [self.line(f"{indent}{flow(key)}:")]
        for name, item in value.items():
            lines += [*self.between(indent + "    "), *self.entry(indent + "    ", name, item)]
        return lines

    def file(self, bots: dict[str, Any]) -> str:
        lines = [self.comment(), self.line("bots:")]
        for bot, fields in bots.items():
            lines += [*self.between("  "), *self.entry("  ", bot, fields)]
        lines += [*self.between("  "), *self.between(""), "reload: off"]
        ends = self.draw(st.sampled_from(["\n", "\r\n"])) if "\r" not in "".join(lines) else "\n"
        last: str = self.draw(st.sampled_from(["", ends]))
        return ends.join(lines) + last


bot_fields = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
nested = st.tuples(st.just("access"), st.sampled_from(["groups", "allow users"]))
places = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=1).map(tuple) | nested
changes = st.one_of(
    st.builds(
        lambda bot, place, value: (bot, Put(("bots", bot, *place), value)),
        st.sampled_from("abc"),
        places,
        values,
    ),
    st.builds(lambda bot, place: (bot, Remove(("bots", bot, *place))), st.sampled_from("abc"), places),
    st.builds(lambda bot, fields: (bot, Put(("bots", bot), fields, new=True)), st.just("d"), bot_fields),
    st.builds(lambda bot: (bot, Remove(("bots", bot))), st.sampled_from("abcd")),
)


def sections(text: str) -> dict[str, str]:
    """Each bot's own text, from its name to its last character."""
    root = layout(text)
    assert root is not None
    bots = root.entry("bots")
    assert bots is not None
    return {
        str(pair.name): text[pair.key.start : max(pair.value.end, pair.colon)] for pair in bots.value.pairs
    }


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    data=st.data(),
    bots=st.fixed_dictionaries(dict.fromkeys("abc", bot_fields)),
    wanted=st.lists(changes, max_size=4),
)
def test_a_change_is_made_and_nothing_else(
    data: st.DataObject, bots: Any, wanted: list[tuple[str, Change]]
) -> None:
    text = Author(data.draw).file(bots)
    before = read_document(text, "f")
    assert not before.problems
    assert same(before.data["bots"], bots)
    for bot, change in wanted:
        if bot not in before.data["bots"] and not (isinstance(change, Put) and change.new):
            continue
        after = with_changes(text, "f", [change])
        assert isinstance(after, str), after
        again = read_document(after, "f")
        assert same(again.data, intended(before.data, change))
        old, new = sections(text), sections(after)
        assert {name: part for name, part in new.items() if name != bot} == {
            name: part for name, part in old.items() if name != bot
        }
        lost = set(MARK.findall(text)) - set(MARK.findall(after))
        assert lost <= set(MARK.findall(old.get(bot, "")))
        if (
            isinstance(change, Put)
            and not change.new
            and not isinstance(_at(before.data, change.where), dict | list)
        ):
            assert not lost
        text, before = after, again


def _at(data: Any, where: Any) -> Any:
    for key in where:
        data = data.get(key) if isinstance(data, dict) else None
    return data


@settings(max_examples=200)
@given(value=values)
def test_what_is_written_reads_back(value: Any) -> None:
    for text in (f"k: {flow(value)}", "k:" + "\n".join([*lines_of(value, "  "), ""])):
        document = read_document(text, "f")
        assert not document.problems
        assert same(document.data, {"k": value})
