"""Nodes that ask a model, and so cost money.

llm_call   structured_output   agent_loop   llm_router   confidence_router   guardrail (with a prompt)
vision_analyze   document_parse   image_generate
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from runner.workflows.expressions import Json, Template, template
from runner.workflows.nodes.exits import PLAIN, Exits
from runner.workflows.nodes.fields import Fields
from runner.workflows.patterns import Pattern, compiled

TEMPERATURE = 0.3
MOST_TOKENS = 200_000
MOST_ITERATIONS = 50
PASS, BLOCK, HIGH, LOW = "pass", "block", "high", "low"
_WORD = re.compile(r"\w+")
_MESSAGE = template("{{message}}")


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One model call. Its output is `{text, tokensInput, tokensOutput}`."""

    exits: ClassVar[Exits] = PLAIN
    prompt: Template
    output_variable: str
    model: str | None
    max_tokens: int | None
    temperature: float

    @classmethod
    def read(cls, fields: Fields) -> LlmCall:
        """Read `data`."""
        temperature = fields.optional_number("temperature", 0, 2)
        return cls(
            fields.template("prompt"),
            fields.name("outputVariable"),
            fields.optional_text("model", longest=200),
            fields.optional_whole("maxTokens", 1, MOST_TOKENS),
            TEMPERATURE if temperature is None else temperature,
        )


@dataclass(frozen=True, slots=True)
class StructuredOutput:
    """One model call whose answer is JSON of a schema, repaired once. Its output is that JSON."""

    exits: ClassVar[Exits] = PLAIN
    prompt: Template
    schema: Mapping[str, Json]
    output_variable: str
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> StructuredOutput:
        """Read `data`."""
        return cls(
            fields.template("prompt"),
            fields.mapping("schema"),
            fields.name("outputVariable"),
            fields.optional_text("model", longest=200),
        )


@dataclass(frozen=True, slots=True)
class AgentLoop:
    """The agent loop as a node; no `tools`: all of the bot. Its output is `{text, tokensInput, tokensOutput}`."""

    exits: ClassVar[Exits] = PLAIN
    prompt: Template
    tools: tuple[str, ...]
    max_iterations: int | None
    output_variable: str | None

    @classmethod
    def read(cls, fields: Fields) -> AgentLoop:
        """Read `data`."""
        return cls(
            fields.template("prompt"),
            fields.names("tools", required=False),
            fields.optional_whole("maxIterations", 1, MOST_ITERATIONS),
            fields.optional_name("outputVariable"),
        )


@dataclass(frozen=True, slots=True)
class LlmRouter:
    """A model chooses one of the routes; goes on at the handle of that name.

    Attributes:
        routes: name -> what it is for, or "" where that is not said.
    """

    prompt: Template
    routes: Mapping[str, str]
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> LlmRouter:
        """Read `data`: routes are a list of names, or a mapping of names to what they are for."""
        written = fields.data.get("routes")
        if isinstance(written, Mapping):
            routes = {name: str(purpose) for name, purpose in fields.mapping("routes").items()}
            if not routes:
                fields.fault("routes", "must not be empty")
        else:
            routes = dict.fromkeys(fields.names("routes"), "")
        return cls(fields.template("prompt"), routes, fields.optional_text("model", longest=200))

    @property
    def exits(self) -> Exits:
        """The routes."""
        return Exits(plain=False, needed=tuple(self.routes))


@dataclass(frozen=True, slots=True)
class ConfidenceRouter:
    """A model says how sure it is, from 0 to 1; goes on at `high` from the threshold on, else at `low`."""

    exits: ClassVar[Exits] = Exits(plain=False, needed=(HIGH, LOW))
    prompt: Template
    threshold: float
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> ConfidenceRouter:
        """Read `data`."""
        if not fields.has("threshold"):
            fields.fault("threshold", "required")
        threshold = fields.optional_number("threshold", 0, 1)
        return cls(fields.template("prompt"), threshold or 0.0, fields.optional_text("model", longest=200))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a text must be to pass a guardrail.

    Attributes:
        pattern: must be found in it.
        longest: characters.
        deny: words, or several in a row, that must not be in it, whatever their case; parts of words may.
    """

    pattern: Pattern | None = None
    longest: int | None = None
    deny: tuple[str, ...] = ()

    def allow(self, text: str) -> bool:
        """Whether a text passes."""
        words = _spaced(text)
        return (
            (self.longest is None or len(text) <= self.longest)
            and (self.pattern is None or self.pattern.is_in(text))
            and not any(_spaced(denied) in words for denied in self.deny)
        )


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Lets the text pass or blocks it: by rules, which cost nothing, or by a model that is asked `prompt`.

    Attributes:
        text: what is looked at.
    """

    exits: ClassVar[Exits] = Exits(plain=False, needed=(PASS, BLOCK))
    text: Template
    rules: Rules | None
    prompt: Template | None
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> Guardrail:
        """Read `data`."""
        fields.exactly_one("rules", "prompt")
        return cls(
            fields.template("text") if fields.has("text") else _MESSAGE,
            _rules(fields) if fields.has("rules") else None,
            fields.optional_template("prompt"),
            fields.optional_text("model", longest=200),
        )


@dataclass(frozen=True, slots=True)
class Vision:
    """A model looks at a picture; none named: that of the message."""

    exits: ClassVar[Exits] = PLAIN
    prompt: Template
    image: Template | None
    output_variable: str
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> Vision:
        """Read `data`."""
        return cls(
            fields.template("prompt"),
            fields.optional_template("image"),
            fields.name("outputVariable"),
            fields.optional_text("model", longest=200),
        )


@dataclass(frozen=True, slots=True)
class DocumentParse:
    """The text of a document; none named: that of the message."""

    exits: ClassVar[Exits] = PLAIN
    document: Template | None
    output_variable: str

    @classmethod
    def read(cls, fields: Fields) -> DocumentParse:
        """Read `data`."""
        return cls(fields.optional_template("document"), fields.name("outputVariable"))


@dataclass(frozen=True, slots=True)
class ImageGenerate:
    """A model draws a picture."""

    exits: ClassVar[Exits] = PLAIN
    prompt: Template
    output_variable: str
    model: str | None

    @classmethod
    def read(cls, fields: Fields) -> ImageGenerate:
        """Read `data`."""
        return cls(
            fields.template("prompt"),
            fields.name("outputVariable"),
            fields.optional_text("model", longest=200),
        )


def _spaced(text: str) -> str:
    """The words alone, one space before and after each."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _rules(fields: Fields) -> Rules:
    inner = Fields((*fields.path, "rules"), fields.mapping("rules"), fields.faults)
    rules = Rules(
        inner.parsed("regex", compiled) if inner.has("regex") else None,
        inner.optional_whole("length", 1, 1_000_000),
        inner.names("deny", required=False),
    )
    inner.end()
    if not inner.data:
        fields.fault("rules", "must not be empty")
    return rules
