"""Bots of bots.yaml come, change and go by themselves: the admin API's side of the file. A `ports.definitions`.

    asked for ─▶ plan ─▶ new text ─▶ the whole of it is checked ─▶ secrets kept ─▶ file replaced ─▶ in force

Rules: one change at a time; a fault anywhere leaves the file and the store of secrets as they were; a secret gets a
name of its own, so that no other bot's is overwritten, and is forgotten when the file no longer names it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from adapters import registry
from runner.config.document import Document, read_document
from runner.config.drafts import BOT_ID, merged_with_defaults
from runner.config.edit import snapshot
from runner.config.edit_merge import kept_names, shown
from runner.config.edit_plans import Names, Plan, bots_of, creation, defaults_of, removal, revision
from runner.config.edit_schema import bot_schema
from runner.config.edit_text import with_changes
from runner.config.loader import parse, sources_of
from runner.config.models import BotSection
from runner.config.problems import Problem, Problems
from runner.config.secret_store import SecretStore
from runner.config.secrets import SecretsUnreadable
from runner.config.settings import Loaded
from runner.ports.definitions import Conflict, Deployed, Faulty, FieldFault, Outcome, Unapplied, Written

Apply: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
"""Put the file's bots in force; what could not be."""

_Planned: TypeAlias = Callable[[Document, Names], Plan | Faulty | Conflict]


@dataclass(frozen=True, slots=True)
class _Overlay:
    """The encrypted store as it will be."""

    store: SecretStore
    fresh: Mapping[str, str]

    def lookup(self, name: str) -> str | None:
        """The new one, else the kept one."""
        return self.fresh[name] if name in self.fresh else self.store.lookup(name)


class BotsFile:
    """The bots of one file."""

    def __init__(self, path: Path, environ: Mapping[str, str], secrets: SecretStore, apply: Apply) -> None:
        self._path = path
        self._environ = environ
        self._secrets = secrets
        self._apply = apply
        self._one_at_a_time = asyncio.Lock()
        self._read: tuple[tuple[int, int, int], Document] | None = None

    @property
    def deployed(self) -> Deployed | None:
        """Nothing stands against changing it."""
        return None

    async def bot_ids(self) -> list[str]:
        """All that the file names, in its order; empty where it cannot be read."""
        return list(bots_of(await asyncio.to_thread(self._document)))

    async def fields(self, bot_id: str) -> Mapping[str, Any] | None:
        """Every field of a bot; None: the file has no such bot."""
        document = await asyncio.to_thread(self._document)
        own = bots_of(document).get(bot_id)
        if not isinstance(own, dict):
            return None
        return _complete(bot_id, merged_with_defaults(defaults_of(document), own))

    async def create(self, bot_id: str, fields: Mapping[str, Any]) -> Outcome:
        """Write a new bot behind the others."""
        if not BOT_ID.fullmatch(bot_id):
            message = "must be 1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit"
            return Faulty((FieldFault("id", message),))
        return await self._write(lambda document, names: creation(document, bot_id, fields, names))

    async def change(self, bot_id: str, patch: Mapping[str, Any]) -> Outcome:
        """Change a bot by a JSON merge patch."""
        return await self._write(lambda document, names: revision(document, bot_id, patch, names))

    async def remove(self, bot_id: str) -> Outcome:
        """Take a bot out of the file."""
        return await self._write(lambda document, _: removal(document, bot_id))

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of what the file may say of a bot."""
        return bot_schema()

    async def _write(self, planned: _Planned) -> Outcome:
        async with self._one_at_a_time:
            outcome = await asyncio.to_thread(self._written, planned)
            if not isinstance(outcome, Written):
                return outcome
            problems = await self._apply()
            return Unapplied(tuple(problems)) if problems else outcome

    def _document(self) -> Document:
        """The file's values; read anew where it is another file than the last time."""
        found = snapshot(self._path, to_write=False)
        if isinstance(found, Problem):
            return Document(str(self._path))
        mark = (found.status.st_mtime_ns, found.status.st_size, found.status.st_ino)
        if self._read is None or self._read[0] != mark:
            self._read = (mark, read_document(found.text, str(self._path)))
        return self._read[1]

    def _written(self, planned: _Planned) -> Outcome:
        try:
            return self._changed(planned)
        except (SecretsUnreadable, OSError) as fault:
            return Conflict(f"the secrets cannot be kept: {fault}")

    def _changed(self, planned: _Planned) -> Outcome:
        """Raises SecretsUnreadable and OSError, with everything as it was."""
        before = snapshot(self._path)
        document = read_document("" if isinstance(before, Problem) else before.text, str(self._path))
        if isinstance(before, Problem) or document.problems or not isinstance(document.data, dict):
            return (
                Conflict(str(before)) if isinstance(before, Problem) else _faulty_already(document.problems)
            )
        used = Counter(kept_names(before.text))
        plan = planned(document, Names(self._secrets.names(), used))
        if not isinstance(plan, Plan):
            return plan
        after = with_changes(before.text, str(self._path), plan.changes)
        if isinstance(after, Problem):
            return Conflict(str(after))
        checked = self._checked(before.text, after, plan)
        if isinstance(checked, Written) and (plan.secrets or after != before.text):
            earlier = self._keep(plan.secrets)
            problem = before.replace(after)
            if problem is not None:
                self._restore(earlier)
                return Conflict(str(problem))
            self._forget(plan.bot_id, used.keys() - set(kept_names(after)))
        return checked

    def _checked(self, before: str, after: str, plan: Plan) -> Outcome:
        """Whether the file will do, all of it."""
        file = str(self._path)
        sources = sources_of(self._path, self._environ, _Overlay(self._secrets, plan.secrets))
        found = parse(after, file, sources)
        place = f"bots.{plan.bot_id}"
        if isinstance(found, Loaded):
            mine = [p for p in found.warnings if p.path.startswith(place)]
            return Written((*plan.warnings, *(f"{_inside(p.path, place)}: {p.message}" for p in mine)))
        was = parse(before, file, sources)
        old = {(p.path, p.message) for p in was.problems} if isinstance(was, Problems) else set()
        fresh = [p for p in found.problems if (p.path, p.message) not in old]
        if not fresh:
            return _faulty_already(found.problems)
        return Faulty(tuple(FieldFault(_inside(p.path, place), p.message) for p in fresh))

    def _keep(self, secrets: Mapping[str, str]) -> Mapping[str, str | None]:
        """Keep these; what their names held before."""
        earlier: dict[str, str | None] = {}
        try:
            for name, text in secrets.items():
                before = self._secrets.lookup(name)
                self._secrets.set(name, text)
                earlier[name] = before
        except (SecretsUnreadable, OSError):
            self._restore(earlier)
            raise
        return earlier

    def _restore(self, earlier: Mapping[str, str | None]) -> None:
        for name, text in earlier.items():
            with suppress(SecretsUnreadable, OSError):
                if text is None:
                    self._secrets.remove(name)
                else:
                    self._secrets.set(name, text)

    def _forget(self, bot_id: str, names: Collection[str]) -> None:
        """Those of that bot's own; one that cannot be forgotten now stays, encrypted."""
        for name in names:
            if name.startswith(f"{bot_id}."):
                with suppress(SecretsUnreadable, OSError):
                    self._secrets.remove(name)


def _inside(path: str, place: str) -> str:
    """A problem's path as seen from the bot; elsewhere in the file, from its top."""
    inner = path.removeprefix(place)
    return inner.removeprefix(".") if inner != path and inner[:1] in {"", ".", "["} else path


def _faulty_already(problems: Sequence[Problem]) -> Conflict:
    first = str(problems[0]) if problems else "it is empty"
    return Conflict(f"bots.yaml has faults of its own, which have to be mended first: {first}")


def _complete(bot_id: str, section: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the section says, and what it leaves to the program."""
    seen = shown(section)
    given = BotSection().model_dump(mode="json") | {"name": bot_id}
    channels = seen.get("channels") or [seen]
    platforms = [channel.get("platform") for channel in channels if isinstance(channel, dict)]
    rates = [
        registry.capabilities(platform).default_rate_per_minute
        for platform in platforms
        if platform in registry.platforms()
    ]
    given["rate_limit_per_minute"] = max(rates, default=None)
    parts = {
        key: {**given[key], **part}
        for key in ("access", "llm_config")
        if isinstance(part := seen.get(key), dict)
    }
    return given | seen | parts
