"""Importing a library without what it drags in and nobody here calls.

    without      libraries that load optional others wherever those are installed, and do without where they are not:
                 while they are imported, those look as if they were not
    piecemeal    packages whose `__init__` only gathers names from modules, thousands of types in a model's SDK, or the
                 server beside the client: each module is loaded when a name of it is first asked for

Rules: the library's own behaviour stays; a package that does more than gather is loaded as ever. Each use names
what it saves, measured in docs/decisions/lean-start.md.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import cast

_Source = tuple[str, str | None]
"""A module, as the package's `__init__` says it, and the name in it; None: the module itself."""


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports of these modules fail for a while; those that are loaded already stay as they are."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = cast("ModuleType", None)  # the import system's own sign for «not to be had»
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def piecemeal(*names: str) -> Iterator[None]:
    """Import these packages, and the packages in them, so that they load what they gather piece by piece."""
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the packages that can be had piece by piece; all else is left to the finders behind it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if (
            spec is None
            or spec.submodule_search_locations is None
            or not isinstance(spec.loader, InspectLoader)
        ):
            return None
        gathered = _gathered(spec.loader.get_source(fullname) or "")
        if gathered is None:
            return None
        spec.loader = _Piecemeal(gathered)
        return spec


class _Piecemeal(Loader):
    """Gives a package its names one by one."""

    def __init__(self, gathered: Mapping[str, _Source]) -> None:
        self._gathered = gathered

    def exec_module(self, module: ModuleType) -> None:
        def find(name: str) -> object:
            if name not in self._gathered:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            source, inside = self._gathered[name]
            found = importlib.import_module(source, module.__name__)  # noqa: TID251 - what an import statement does
            value = found if inside is None else getattr(found, inside)
            setattr(module, name, value)
            return value

        vars(module).update(__getattr__=find, __all__=list(self._gathered))


def _gathered(source: str) -> dict[str, _Source] | None:
    """Where each name of a package comes from; None where its `__init__` does more than gather."""
    found: dict[str, _Source] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.ImportFrom(module="__future__", level=0):
                continue
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() | ast.Tuple()):
                continue
            case ast.ImportFrom(level=level, module=module, names=names):
                for each in names:
                    if each.name == "*":
                        return None
                    dots = "." * level
                    name = each.asname or each.name
                    found[name] = (dots + each.name, None) if module is None else (dots + module, each.name)
            case _:
                return None
    return found or None
