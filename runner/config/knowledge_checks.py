"""What `knowledge:` means: collections of files that are there, are texts, and are not too large."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from runner.config.findings import Findings
from runner.config.knowledge_section import CollectionSection, to_collections
from runner.ports.knowledge import MOST_COLLECTIONS
from runner.store.knowledge.files import read, shown, stamped

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_MOST_TOLD = 5
"""Faulty files of one collection."""


def check_knowledge(sections: Mapping[str, CollectionSection], folder: Path, findings: Findings) -> None:
    """Look at all files."""
    if len(sections) > MOST_COLLECTIONS:
        findings.problem(
            ("knowledge",), f"there are at most {MOST_COLLECTIONS} collections, here {len(sections)}"
        )
        return
    for name, collection in to_collections(sections, folder).items():
        place = ("knowledge", name)
        if not _NAME.fullmatch(name):
            message = (
                "a collection's name is 1 to 63 letters, digits, _ and -, starting with a letter or digit"
            )
            findings.problem(place, message)
        for index, pattern in enumerate(collection.patterns):
            if not stamped(replace(collection, patterns=(pattern,)))[0]:
                message = f"no file that can be used matches {findings.shown(pattern)}"
                findings.problem((*place, "files", index), message)
        files, missed = stamped(collection)
        missed += [
            f"{shown(path, folder)} is not a UTF-8 text, or cannot be read"
            for path in files
            if read(path) is None
        ]
        for what in missed[:_MOST_TOLD]:
            findings.problem((*place, "files"), what)
