"""Who is played to: the baselines, ours as it comes, ours told never to send less than they do, and ours without
each of its savings or with one more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.cost.plain import CACHED, NAIVE, PLACED, WINDOW
from bench.cost.trial import Subject
from bench.cost.workload import Tier, Workload

FULL = Subject(NAIVE.name, NAIVE)
SLIDING = Subject(WINDOW.name, WINDOW)
AUTOMATIC = Subject(CACHED.name, CACHED)
OURS = Subject("botrunner")
OURS_EVEN = Subject(
    "botrunner, 10 to 30",
    lines={"conversation_max_messages": 30, "conversation_keep_messages": 10, "context": "blocks"},
)
OURS_WIDE = Subject(
    "botrunner, 20 or more",
    lines={"conversation_max_messages": 40, "conversation_keep_messages": 20},
)
CAREFUL = Subject(PLACED.name, PLACED)
BASELINES = (FULL, SLIDING, AUTOMATIC, CAREFUL)
_FAMILY: dict[Tier, str] = {
    "small": "anthropic/claude-haiku-4-5",
    "standard": "anthropic/claude-sonnet-4-6",
    "strong": "anthropic/claude-opus-4-6",
}
_MODELS: dict[str, Tier] = {model.partition("/")[2]: tier for tier, model in _FAMILY.items()}


@dataclass(frozen=True, slots=True)
class Part:
    """A workload with one model, and who is played to. `big`: the model that the naive baseline has too."""

    workload: Workload
    model: str
    subjects: tuple[Subject, ...]
    big: str | None = None

    def runs(self) -> Iterator[tuple[Subject, str]]:
        """Each run: the subject and its model."""
        if self.big is not None and self.big != self.model:
            yield FULL, self.big
        for subject in self.subjects:
            yield subject, self.model


def main_subjects(model: str) -> tuple[Subject, ...]:
    """Those of every table; caching that is always automatic is no baseline of its own."""
    baselines = BASELINES if model.startswith("anthropic/") else BASELINES[:2]
    return (*baselines, OURS, OURS_EVEN, OURS_WIDE)


def ablations(workload: Workload, model: str) -> tuple[Subject, ...]:
    """Ours with one thing changed."""
    own = [
        Subject("prompt_cache: off", lines={"prompt_cache": "off"}),
        Subject("prompt_cache: 5m", lines={"prompt_cache": "5m"}),
        Subject("prompt_cache: 1h", lines={"prompt_cache": "1h"}),
        Subject("context: sliding", lines={"context": "sliding"}),
        Subject("context: blocks", lines={"context": "blocks"}),
        Subject("max_tool_result_chars: 1000000", lines={"max_tool_result_chars": 1_000_000}),
        Subject("max_tool_result_chars: 2000", lines={"max_tool_result_chars": 2000}),
        Subject("summarize: true", lines={"summarize": True}),
        Subject("response_cache: true", lines={"response_cache": True}),
    ]
    if not any(persona.tools for persona in workload.personas):
        own = [subject for subject in own if "tool" not in subject.name]
    if model.startswith("anthropic/") and workload.tasks:
        own += [
            _routed(workload, "routing by task, sticky: false", sticky=False),
            _routed(workload, "routing by task"),
        ]
    return tuple(own)


def _routed(workload: Workload, name: str, *, sticky: bool = True) -> Subject:
    routing = {
        "tiers": dict(_FAMILY),
        "default": "standard",
        "tasks": dict(workload.tasks),
        "sticky": sticky,
    }
    return Subject(name, lines={"routing": routing}, tiers=_MODELS)


def parts_of(
    workloads: Sequence[Workload], models: Sequence[str], big: str | None, *, ablate: bool
) -> list[Part]:
    """All that is to be run. Each saving is taken apart with the first model only."""
    parts = []
    for workload in workloads:
        for number, model in enumerate(models):
            first = number == 0
            subjects = main_subjects(model)
            if first and ablate:
                subjects += ablations(workload, model)
            parts.append(Part(workload, model, subjects, big if first else None))
    return parts
