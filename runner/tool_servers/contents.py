"""What a call brought, as a text for a model. Pure.

Rule: text is handed on as it is; what is none is told of in words; where a result has no content, its structured value
is shown. At most `LONGEST_TEXT` characters, then the rest is only told of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from runner.lean import piecemeal
from runner.ports.tool_servers import ToolAnswer

with piecemeal("mcp"):
    from mcp.types import (
        AudioContent,
        BlobResourceContents,
        CallToolResult,
        ContentBlock,
        EmbeddedResource,
        ImageContent,
        ResourceLink,
        TextContent,
        TextResourceContents,
    )

LONGEST_TEXT = 256 * 1024


def answer_of(result: CallToolResult) -> ToolAnswer:
    """The result in words."""
    text = "\n".join(_words(result.content))
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    cut = len(text) > LONGEST_TEXT
    empty = "[the tool failed without a word]" if result.is_error else "[done, without content]"
    return ToolAnswer(ok=not result.is_error, text=text[:LONGEST_TEXT] or empty, cut=cut)


def _words(blocks: Iterable[ContentBlock]) -> Iterator[str]:
    for block in blocks:
        match block:
            case TextContent():
                yield block.text
            case ImageContent() | AudioContent():
                yield f"[{block.type} that is not shown: {block.mime_type}, about {_size(block.data)} bytes]"
            case EmbeddedResource():
                yield _resource(block.resource)
            case ResourceLink():
                about = f": {block.description}" if block.description else ""
                yield f"[link to {block.title or block.name}, {block.uri}{about}]"


def _resource(held: TextResourceContents | BlobResourceContents) -> str:
    if isinstance(held, TextResourceContents):
        return f"[{held.uri}]\n{held.text}"
    kind = held.mime_type or "of no told type"
    return f"[file that is not shown: {held.uri}, {kind}, about {_size(held.blob)} bytes]"


def _size(base64: str) -> int:
    return len(base64) * 3 // 4
