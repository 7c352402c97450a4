"""What the guards look at: the files of this repository."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def committed() -> list[Path]:
    """All files that git keeps or would keep; the work tree's state of them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def python_files(*rooms: str) -> list[Path]:
    """The Python files, of these folders only where some are named."""
    starts = tuple(f"{room}/" for room in rooms)
    return [path for path in committed() if path.suffix == ".py" and here(path).startswith(starts or "")]


def here(path: Path) -> str:
    """A path as a person would say it, from the repository's root."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
