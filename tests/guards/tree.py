"""What the guards look at: the files of this repository."""

import ast
import functools
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def committed() -> list[Path]:
    """All files that git keeps or would keep; in an unpacked archive all but hidden folders."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        rooms = [room for room in ROOT.iterdir() if not room.name.startswith(".")]
        paths = [
            path for room in rooms for path in (room, *room.rglob("*")) if "__pycache__" not in path.parts
        ]
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
