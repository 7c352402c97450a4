"""`knowledge:`, files that workflows may look things up in.

knowledge:
  handbook: {files: [docs/*.md, docs/**/*.txt]}     # relative to bots.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runner.config.fields import Section
from runner.ports.knowledge import Collection

MOST_PATTERNS = 50


class CollectionSection(Section):
    """One entry of `knowledge:`."""

    files: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MOST_PATTERNS)]


def to_collections(sections: Mapping[str, CollectionSection], folder: Path) -> dict[str, Collection]:
    """As the rest works with it. `folder`: that of bots.yaml."""
    return {name: Collection(name, folder, tuple(section.files)) for name, section in sections.items()}
