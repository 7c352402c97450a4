"""From what a server offers to what bots may call. Pure.

Rules: only what bots.yaml allows, by name, so that equal offers make equal bytes; what would swell every request of a
bot (a book of a description, thousands of tools) is cut or left out, and that is told. A call is repeatable where the
server says that it only reads, or that a second one changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.bots import ToolServer
from runner.ports.tool_servers import ServedTool
from runner.tool_servers.naming import served_name

MOST_TOOLS = 128
LONGEST_DESCRIPTION = 4000
LONGEST_SCHEMA = 32_000
"""Characters of JSON."""
_SAID_ANYWAY = frozenset({"$schema", "title"})


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as its server tells of it. `repeatable`: by the server's own hints."""

    name: str
    description: str
    schema: Mapping[str, Any]
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Tools by name, and what is odd about the offer, a sentence part each."""

    tools: tuple[ServedTool, ...] = ()
    remarks: tuple[str, ...] = ()


def listed(server: ToolServer, offered: Iterable[Offered]) -> Listing:
    """What the bots of this server's workspace may call."""
    offers = {offer.name: offer for offer in offered}
    wanted = offers if server.tools is None else [name for name in server.tools if name in offers]
    missing = [] if server.tools is None else [name for name in server.tools if name not in offers]
    remarks = [f"it has no tool {name}" for name in missing]
    found: dict[str, ServedTool] = {}
    for name in wanted:
        tool = _served(server.name, offers[name])
        if tool is None:
            remarks.append(f"the schema of {name[:100]} cannot be used")
        else:
            found[tool.name] = tool
    kept = sorted(found)[:MOST_TOOLS]
    if len(kept) < len(found):
        remarks.append(f"it has {len(found)} tools, of which {MOST_TOOLS} are used: name those you need")
    return Listing(tuple(found[name] for name in kept), tuple(remarks))


def _served(server: str, offer: Offered) -> ServedTool | None:
    schema = {name: value for name, value in offer.schema.items() if name not in _SAID_ANYWAY}
    if schema.setdefault("type", "object") != "object" or not isinstance(
        schema.setdefault("properties", {}), Mapping
    ):
        return None
    if len(json.dumps(schema, ensure_ascii=False)) > LONGEST_SCHEMA:
        return None
    description = offer.description.strip() or offer.name
    if len(description) > LONGEST_DESCRIPTION:
        description = description[: LONGEST_DESCRIPTION - 1] + "…"
    return ServedTool(served_name(server, offer.name), offer.name, description, schema, offer.repeatable)
