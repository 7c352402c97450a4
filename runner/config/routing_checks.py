"""What `routing:` means as a whole: every name leads somewhere, and nothing in it is in vain.

Rules: a name that leads nowhere is a problem, at its own line, with the nearest name that does; what can never
happen (a rule that never holds, a tier that nobody reaches) is a warning, for it only costs the reader's time.
Models and prices of the tiers are looked at in `model_checks`, with all the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from runner.bots import RouteRule, Signal
from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.problems import Path, did_you_mean, one_of
from runner.config.routing_section import (
    RoutingSection,
    default_tier,
    is_pair,
    signals,
    to_rule,
)

_TIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TASK = re.compile(r"[a-z0-9_-]{1,64}")
RESERVED = ("default", "fallback", "cache")
"""Routes of the ledger that are no tiers."""


class _Place:
    """Tells what is wrong at places inside of one bot's `routing:`."""

    def __init__(self, draft: Draft, findings: Findings) -> None:
        self._draft = draft
        self.findings = findings

    def problem(self, path: Path, message: str) -> None:
        self.findings.problem(self._draft.place("routing", *path), message, at=self._at(path))

    def warn(self, path: Path, message: str) -> None:
        self.findings.warn(self._draft.place("routing", *path), message, at=self._at(path))

    def _at(self, path: Path) -> Path:
        return self._draft.line(("routing", *path), self.findings)


def check_routing(draft: Draft, findings: Findings) -> None:
    """All that can be said of one bot's routing without asking for models."""
    section = draft.routing
    if section is None or not draft.sure("routing"):
        return
    place = _Place(draft, findings)
    _tiers(section, place)
    for path, name in _named(section):
        _exists(section, path, name, place)
    _tasks(section, place)
    _rules(section, place)
    _classifier(section, place)
    _escalation(section, place)
    _reached(section, place)
    own = [field for field in ("llm_provider", "llm_model") if draft.place(field) in findings.document.lines]
    if own and (default := default_tier(section)) is not None:
        message = f"is not asked: routing decides, and its default is the tier {findings.shown(default)}"
        findings.warn(draft.place(own[-1]), message, at=draft.line(own[-1], findings))


def _tiers(section: RoutingSection, place: _Place) -> None:
    if not section.tiers:
        place.problem(
            ("tiers",), "required: name at least one tier, such as small: anthropic/claude-haiku-4-5"
        )
    for name, tier in section.tiers.items():
        if name in RESERVED:
            place.problem(("tiers", name), f"a tier cannot be called {one_of(RESERVED)}: the ledger says so")
        elif not _TIER.fullmatch(name):
            place.problem(
                ("tiers", name),
                "a tier's name is 1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit",
            )
        if not is_pair(tier.model):
            place.problem(("tiers", name), "must be provider/model, such as openai/gpt-4o-mini")


def _named(section: RoutingSection) -> Iterator[tuple[Path, str]]:
    """Each place that names a tier, and the name."""
    if section.default is not None:
        yield ("default",), section.default
    for task, name in section.tasks.items():
        yield ("tasks", task), name
    for number, rule in enumerate(section.rules):
        yield ("rules", number, "tier"), rule.tier
    if section.classifier is not None:
        yield ("classifier", "tier"), section.classifier.tier
    if section.escalate is not None:
        yield ("escalate", "to"), section.escalate.to


def _exists(section: RoutingSection, path: Path, name: str, place: _Place) -> None:
    if name in section.tiers or not section.tiers:
        return
    guess = did_you_mean(name, section.tiers) or f"; there are: {', '.join(section.tiers)}"
    place.problem(path, f"there is no tier {place.findings.shown(name)!r} under tiers:{guess}")


def _tasks(section: RoutingSection, place: _Place) -> None:
    for task in section.tasks:
        if not _TASK.fullmatch(task):
            place.problem(("tasks", task), "a task's name is 1 to 64 of a-z, 0-9, _ and -")


def _rules(section: RoutingSection, place: _Place) -> None:
    labels = section.classifier.labels if section.classifier is not None else None
    rules = [to_rule(rule) for rule in section.rules]
    for number, rule in enumerate(rules):
        path = ("rules", number)
        if not _conditions(rule):
            place.problem(path, "says nothing of when it holds; what always holds is `default`")
            continue
        if rule.labels and labels is None:
            place.problem(path, "names a label, but there is no classifier that gives one")
        for label in sorted(rule.labels - set(labels or rule.labels)):
            guess = did_you_mean(label, labels or ()) or f": {one_of(labels or ())}"
            shown = place.findings.shown(label)
            place.problem(path, f"the label {shown!r} is none of classifier.labels{guess}")
        if _is_empty(rule):
            place.warn(
                path, f"can never hold: min_chars {rule.min_chars} is above max_chars {rule.max_chars}"
            )
        elif (first := _covered(rule, rules[:number])) is not None:
            place.warn(path, f"can never hold: wherever it would, rule {first + 1} holds before it")


def _conditions(rule: RouteRule) -> bool:
    lengths = rule.min_chars is not None or rule.max_chars is not None
    return lengths or any((rule.tasks, rule.keywords, rule.users, rule.labels))


def _is_empty(rule: RouteRule) -> bool:
    return rule.min_chars is not None and rule.max_chars is not None and rule.min_chars > rule.max_chars


def _covered(rule: RouteRule, before: Sequence[RouteRule]) -> int | None:
    """Which of the rules before it holds wherever this one does; None: none of them surely does."""
    return next((n for n, other in enumerate(before) if _conditions(other) and _covers(other, rule)), None)


def _covers(wide: RouteRule, narrow: RouteRule) -> bool:
    return (
        all(
            _includes(getattr(wide, name), getattr(narrow, name))
            for name in ("tasks", "keywords", "users", "labels")
        )
        and (wide.min_chars is None or (narrow.min_chars is not None and narrow.min_chars >= wide.min_chars))
        and (wide.max_chars is None or (narrow.max_chars is not None and narrow.max_chars <= wide.max_chars))
    )


def _includes(wide: Iterable[str], narrow: Iterable[str]) -> bool:
    """Whether whoever satisfies `narrow` satisfies `wide`; nothing is no condition."""
    most = {word.casefold() for word in wide}
    least = {word.casefold() for word in narrow}
    return not most or (bool(least) and least <= most)


def _classifier(section: RoutingSection, place: _Place) -> None:
    if section.classifier is None:
        return
    asked = {label for rule in section.rules for label in to_rule(rule).labels}
    if not asked:
        place.warn(("classifier",), "is never asked: no rule names one of its labels")
    folded = [label.casefold() for label in section.classifier.labels]
    if len(set(folded)) < len(folded):
        place.problem(("classifier", "labels"), "names a label twice")


def _escalation(section: RoutingSection, place: _Place) -> None:
    escalate = section.escalate
    if escalate is None:
        return
    wanted = signals(escalate)
    if Signal.KEYWORDS in wanted and not escalate.keywords:
        place.problem(("escalate",), "names the signal keywords, but no keywords")
    if escalate.keywords and Signal.KEYWORDS not in wanted:
        place.warn(("escalate", "keywords"), "is not used: `on` does not name keywords")
    if len(section.tiers) > 1 and escalate.to == next(iter(section.tiers)):
        place.warn(
            ("escalate", "to"), "changes nothing: it is the first tier, and tiers go from weak to strong"
        )


def _reached(section: RoutingSection, place: _Place) -> None:
    """A tier that no decision leads to."""
    reached = {name for _, name in _named(section)} | {default_tier(section)}
    names = list(section.tiers)
    for name, after in pairwise(names):
        if name in reached and section.tiers[name].free:
            reached.add(after)
    for name in names:
        if name not in reached and name not in RESERVED:
            place.warn(("tiers", name), "nobody reaches it: no rule, task or escalation names it")
