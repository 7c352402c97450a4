"""structured_output: an answer that is JSON of a schema.

    ask ─▶ JSON that keeps to the schema ─▶ output
      └──▶ what is wrong with it, told once ─▶ again ─▶ output, or the node has failed

Rules: the schema is a whole JSON schema, checked by the library that knows all of it; it never fetches anything
that a schema refers to, and works beside the event loop. A fence around the JSON is taken off.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.conversations.models import AssistantMessage, UserMessage
from runner.money.prices import PriceBook
from runner.workflows.doers.asking import answered
from runner.workflows.doers.models import choice_of, request_of
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json, text_of
from runner.workflows.nodes.thinking import StructuredOutput

_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*)\n\s*```\s*\Z", re.DOTALL)
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a text or a schema, as a part of a sentence."""

    why: str


class Structuring:
    """Asks for JSON, and once more where it was none."""

    def __init__(self, book: Callable[[], PriceBook]) -> None:
        self._book = book

    async def do(self, doing: Doing) -> Outcome:
        """Do one structured_output."""
        node = doing.step.placed.node
        if not isinstance(node, StructuredOutput):
            return Outcome(Failed("asks for no JSON"))
        schema = json.dumps(node.schema, ensure_ascii=False)
        prompt = f"{text_of(doing.inputs['prompt'])}\n\nAnswer with JSON of this schema and nothing else:\n{schema}"
        request = request_of(doing.bot, choice_of(doing.bot.choice, node.model, self._book()), prompt)
        found: Json | Wrong = Wrong("nothing was asked")
        for _ in range(2):
            paid = answered(await doing.recall.ask(request, feature=doing.feature))
            if isinstance(paid, str):
                return Outcome(Failed(paid))
            found = await asyncio.to_thread(read, paid.reply.text, node.schema)
            if not isinstance(found, Wrong):
                return Outcome(Done(found))
            said = AssistantMessage(paid.reply.text or "(nothing)")
            repair = UserMessage(f"That cannot be used: {found.why}. Answer with the JSON alone, put right.")
            request = replace(request, messages=(*request.messages[:1], said, repair))
        return Outcome(
            Failed(f"the model's JSON cannot be used: {found.why}" if isinstance(found, Wrong) else "")
        )


def read(text: str, schema: Mapping[str, Json]) -> Json | Wrong:
    """The JSON in an answer, if it keeps to the schema."""
    fenced = _FENCE.match(text)
    try:
        value: Json = json.loads(fenced.group(1) if fenced else text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return Wrong("it is not JSON")
    wrong = mismatch(value, schema)
    return value if wrong is None else Wrong(wrong)


def mismatch(value: Json, schema: Mapping[str, Json]) -> str | None:
    """The first thing in a value that does not keep to the schema, or None."""
    from jsonschema.exceptions import SchemaError, best_match  # noqa: PLC0415 - only for who asks for JSON
    from referencing import Registry  # noqa: PLC0415 - with the first schema
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - with the first schema

    try:
        error = best_match(_validator(schema)(schema, registry=Registry()).iter_errors(value))
    except (SchemaError, Unresolvable, ValueError, RecursionError, LookupError) as fault:
        return f"the schema cannot be used: {str(fault)[:_LONGEST]}"
    return None if error is None else f"{error.json_path}: {error.message[:_LONGEST]}"


def schema_fault(schema: Mapping[str, Json]) -> str | None:
    """What is wrong with a schema, or None."""
    import jsonschema  # noqa: PLC0415 - with the first schema

    try:
        _validator(schema).check_schema(schema)
    except jsonschema.exceptions.SchemaError as error:
        return f"not a JSON schema: {error.message[:_LONGEST]}"
    return None


def _validator(schema: Mapping[str, Json]) -> Any:  # noqa: ANN401 - the library's classes are made at run time
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - with the first schema
    from jsonschema.validators import validator_for  # noqa: PLC0415 - with the first schema

    return validator_for(schema, default=Draft202012Validator)


def _refused(word: str) -> float:
    raise ValueError(word)
