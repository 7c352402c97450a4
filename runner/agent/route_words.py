"""Routing in words: what a message is compared with, and what the rules say. Pure.

Rules: a keyword stands in a text as a whole word where its script has letter case, else anywhere in it (there are
scripts without spaces); case, width and spacing make no difference; what a rule says is told the same to everybody,
in the ledger, on the command line and on the dashboard.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from runner.bots import Escalation, RouteRule, Signal


def normalised(text: str) -> str:
    """Equal texts for what a person would call the same words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def keyword_in(text: str, keywords: Iterable[str]) -> str | None:
    """The first of the keywords that stands in the text, as it was written; None: none does."""
    searched = normalised(text)
    return next((word for word in keywords if _stands(searched, normalised(word))), None)


def _stands(text: str, word: str) -> bool:
    if not word:
        return False
    before = r"(?<!\w)" if _bounded(word[0]) else ""
    after = r"(?!\w)" if _bounded(word[-1]) else ""
    return re.search(f"{before}{re.escape(word)}{after}", text) is not None


def _bounded(character: str) -> bool:
    return character.lower() != character.upper() or character.isdigit()


def matched_label(answer: str, labels: Iterable[str]) -> str | None:
    """The label that an answer names: alone, or as the only one that stands in it."""
    known = list(labels)
    said = normalised(answer).strip(" .,;:!\"'`*")
    exact = next((label for label in known if normalised(label) == said), None)
    if exact is not None:
        return exact
    found = [label for label in known if keyword_in(answer, [label])]
    return found[0] if len(found) == 1 else None


def conditions(rule: RouteRule) -> str:
    """When it holds: `keyword refund or lawyer, at least 5 characters`."""
    return ", ".join(_conditions(rule))


def _conditions(rule: RouteRule) -> Iterator[str]:
    for name, values in (
        ("task", sorted(rule.tasks)),
        ("keyword", rule.keywords),
        ("user", sorted(rule.users)),
        ("label", sorted(rule.labels)),
    ):
        if values:
            yield f"{name} {' or '.join(values)}"
    if rule.min_chars is not None:
        yield f"at least {rule.min_chars} characters"
    if rule.max_chars is not None:
        yield f"at most {rule.max_chars} characters"


def escalation_in_words(escalation: Escalation) -> str:
    """`failing_tools, refusal, keyword that is wrong`: what raises a conversation."""
    named = [str(signal) for signal in Signal if signal in escalation.signals - {Signal.KEYWORDS}]
    if Signal.KEYWORDS in escalation.signals:
        named.append(f"keyword {' or '.join(escalation.keywords)}")
    return ", ".join(named)
