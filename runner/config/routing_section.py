"""`routing:` and `response_cache:` of a bot: which model answers what, and which answers are given again.

    routing:
      tiers:                                    # the weakest first
        free: {model: "openrouter/…:free", free: true}
        small: anthropic/claude-haiku-4-5
        strong: anthropic/claude-opus-4-6
      default: small
      tasks: {refund: strong}
      rules: [{keywords: [lawyer], tier: strong}, {label: hard, tier: strong}]
      classifier: {prompt: How hard is this?, labels: [easy, hard], tier: small}
      sticky: true
      escalate: {to: strong, on: [failing_tools, keywords], keywords: ["that is wrong"]}
    response_cache: {ttl_minutes: 60}

Rules: `off` is none, also where YAML of the old kind makes false of it; a tier that is one text is its model; what
only makes sense together (a tier that exists, a label that somebody gives) is asked in `routing_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from runner.bots import Classifier, Escalation, ModelChoice, ResponseCache, RouteRule, Routing, Signal, Tier
from runner.clock import MS_PER_DAY
from runner.config.fields import Number, Section, UserId, Whole

STANDARD = "standard"
"""The tier that is the default where none is named."""
SMALL = "small"
"""The tier that side work goes to: the classifier where it names none, summaries."""
LONGEST_MS = 30 * MS_PER_DAY

TaskName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
NoTaskOrName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,64}$")]
_Word = Annotated[str, Field(min_length=1, max_length=200)]
_Label = Annotated[str, Field(min_length=1, max_length=64)]
_Chars = Annotated[int, Whole(0, 10_000_000)]


class TierSection(Section):
    """One entry of `tiers:`; `model` is `provider/model`."""

    model: str
    free: bool = False


def _as_tier(value: Any) -> Any:  # noqa: ANN401 - whatever YAML gave
    return {"model": value} if isinstance(value, str) else value


TierField = Annotated[TierSection, BeforeValidator(_as_tier, json_schema_input_type=str | TierSection)]


class RuleSection(Section):
    """One entry of `rules:`; all that it says must hold."""

    tier: str
    task: TaskName | None = None
    tasks: Annotated[list[TaskName], Field(min_length=1)] | None = None
    min_chars: _Chars | None = None
    max_chars: _Chars | None = None
    keywords: Annotated[list[_Word], Field(min_length=1)] | None = None
    users: Annotated[list[UserId], Field(min_length=1)] | None = None
    label: _Label | None = None
    labels: Annotated[list[_Label], Field(min_length=1)] | None = None


class ClassifierSection(Section):
    """`classifier:`, who names a message's kind."""

    prompt: Annotated[str, Field(min_length=1, max_length=10_000)]
    labels: Annotated[list[_Label], Field(min_length=2, max_length=50)]
    tier: str = SMALL


class EscalateSection(Section):
    """`escalate:`, when the rest of a conversation goes to a stronger tier; `on`: left out, all signals."""

    to: str
    on: Annotated[list[Signal], Field(min_length=1)] | None = None
    keywords: list[_Word] = Field(default_factory=list)


class RoutingSection(Section):
    """The whole of `routing:`. A part of it may stand in `defaults:`, so nothing is required here."""

    tiers: dict[str, TierField] = Field(default_factory=dict)
    default: str | None = None
    tasks: dict[str, str] = Field(default_factory=dict)
    rules: list[RuleSection] = Field(default_factory=list)
    classifier: ClassifierSection | None = None
    sticky: bool = True
    escalate: EscalateSection | None = None


class ResponseCacheSection(Section):
    """`response_cache:` as a mapping: how long an answer is kept."""

    ttl_minutes: Annotated[int, Whole(1, LONGEST_MS // 60_000)] | None = None
    ttl_hours: Number | None = Field(None, gt=0, le=LONGEST_MS / 3_600_000, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_time(self) -> ResponseCacheSection:
        if self.ttl_minutes is not None and self.ttl_hours is not None:
            raise ValueError("give ttl_minutes or ttl_hours, not both")
        return self


def _is_off(value: Any) -> bool:  # noqa: ANN401 - whatever YAML gave
    return value is False or value == "off"


def _kind_of_routing(value: Any) -> str:  # noqa: ANN401 - whatever YAML gave
    return "switch" if _is_off(value) else "terms"


def _kind_of_cache(value: Any) -> str:  # noqa: ANN401 - whatever YAML gave
    return "terms" if isinstance(value, Mapping | ResponseCacheSection) else "switch"


RoutingField = (
    Annotated[
        Annotated[RoutingSection, Tag("terms")] | Annotated[Literal["off", False], Tag("switch")],
        Discriminator(_kind_of_routing),
    ]
    | None
)
"""A discriminator, so that a fault of the one form is not told as one of the other too."""
ResponseCacheField = Annotated[
    Annotated[ResponseCacheSection, Tag("terms")] | Annotated[bool, Tag("switch")],
    Discriminator(_kind_of_cache),
]


def terms_of(field: RoutingSection | Literal["off", False] | None) -> RoutingSection | None:
    """What `routing:` says; None where it is off."""
    return field if isinstance(field, RoutingSection) else None


def default_tier(section: RoutingSection) -> str | None:
    """The name of the default tier: the one said, else `standard`, else the first that is not free; None: no tiers."""
    if section.default is not None:
        return section.default
    if STANDARD in section.tiers:
        return STANDARD
    paid = (name for name, tier in section.tiers.items() if not tier.free)
    return next(paid, next(iter(section.tiers), None))


def is_pair(text: str) -> bool:
    """Whether a text is `provider/model`."""
    provider, _, model = text.partition("/")
    return bool(provider and model)


def default_choice(section: RoutingSection | None) -> ModelChoice | None:
    """The model of the default tier; None where there is no routing, or it has faults."""
    tier = None if section is None else section.tiers.get(default_tier(section) or "")
    return ModelChoice(*tier.model.split("/", 1)) if tier is not None and is_pair(tier.model) else None


def to_routing(section: RoutingSection | None) -> Routing | None:
    """The routing that a section without problems describes."""
    if section is None:
        return None
    tiers = tuple(
        Tier(name, ModelChoice(*tier.model.split("/", 1)), tier.free) for name, tier in section.tiers.items()
    )
    return Routing(
        tiers=tiers,
        default=default_tier(section) or tiers[0].name,
        tasks=section.tasks,
        rules=tuple(to_rule(rule) for rule in section.rules),
        classifier=_to_classifier(section.classifier),
        sticky=section.sticky,
        escalation=_to_escalation(section.escalate),
    )


def _to_classifier(section: ClassifierSection | None) -> Classifier | None:
    return None if section is None else Classifier(section.prompt, tuple(section.labels), section.tier)


def _to_escalation(section: EscalateSection | None) -> Escalation | None:
    return None if section is None else Escalation(section.to, signals(section), tuple(section.keywords))


def to_rule(section: RuleSection) -> RouteRule:
    """One rule; `task` and `label` are lists of one."""
    return RouteRule(
        tier=section.tier,
        tasks=frozenset([*(section.tasks or ()), *([section.task] if section.task else ())]),
        min_chars=section.min_chars,
        max_chars=section.max_chars,
        keywords=tuple(section.keywords or ()),
        users=frozenset(section.users or ()),
        labels=frozenset([*(section.labels or ()), *([section.label] if section.label else ())]),
    )


def signals(section: EscalateSection) -> frozenset[Signal]:
    """What raises a conversation: what is said, else all; keywords only where there are some."""
    if section.on is not None:
        return frozenset(section.on)
    return frozenset(Signal) if section.keywords else frozenset(Signal) - {Signal.KEYWORDS}


def to_response_cache(field: ResponseCacheSection | bool) -> ResponseCache | None:  # noqa: FBT001 - as it is written
    """How long answers are kept; None: they are not. A day, where no time is said."""
    if isinstance(field, bool):
        return ResponseCache(MS_PER_DAY) if field else None
    if field.ttl_minutes is not None:
        return ResponseCache(field.ttl_minutes * 60_000)
    if field.ttl_hours is not None:
        return ResponseCache(max(1, round(field.ttl_hours * 3_600_000)))
    return ResponseCache(MS_PER_DAY)
