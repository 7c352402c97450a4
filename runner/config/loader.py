"""bots.yaml, from its text to settings that the daemon can run on.

    text ─▶ document ─▶ references followed ─▶ sections (shape) ─▶ checks (meaning) ─▶ settings

Rules: `parse` is a pure function of the text and its sources, so a reload is one more call of it; every fault
of a file is found in one go; a file with any problem gives no settings at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from runner.config import checks, convert
from runner.config.document import read_document
from runner.config.drafts import draft_bots
from runner.config.findings import Findings
from runner.config.knowledge_checks import check_knowledge
from runner.config.knowledge_section import to_collections
from runner.config.models import FileSection
from runner.config.price_books import load_book, price_rows
from runner.config.problems import Problem, Problems
from runner.config.providers import provider_settings
from runner.config.secret_store import SecretStore
from runner.config.secrets import Secrets, Sources, fill_in, read_text_file
from runner.config.settings import Loaded, Settings
from runner.config.shape import shape
from runner.config.store_address import with_fleet_secrets
from runner.config.stored_secrets import secrets_at
from runner.money.prices import PriceBook

FleetSecrets: TypeAlias = Callable[[str, Mapping[str, str]], Secrets]
"""The encrypted store of a fleet: by the store's address, and the environment that has the key."""
DEFAULT_STORE = "sqlite:botrunner.db"


def load(
    path: Path,
    environ: Mapping[str, str],
    secrets: Secrets | None = None,
    fleet_secrets: FleetSecrets = secrets_at,
) -> Loaded | Problems:
    """Read, check and convert a file. Whatever is wrong with it is a problem, never an exception.

    Raises:
        StoreError: it refers to secrets of a fleet, whose store cannot be reached or does not let us in.
    """
    try:
        text = read_text_file(path)
    except OSError as fault:
        reason = os.strerror(fault.errno) if fault.errno else type(fault).__name__
        return Problems((Problem(str(path), 0, "", f"cannot be read: {reason}"),))
    except ValueError:
        return Problems((Problem(str(path), 0, "", "is not a UTF-8 text of at most 8 MiB"),))
    return parse(text, str(path), sources_of(path, environ, secrets, fleet_secrets))


def sources_of(
    path: Path,
    environ: Mapping[str, str],
    secrets: Secrets | None = None,
    fleet_secrets: FleetSecrets = secrets_at,
) -> Sources:
    """Where the references of that file lead.

    Without `secrets`: to the encrypted store of the fleet, where the file's store is one's, else of the state folder.
    """
    if secrets is not None:
        return Sources(environ, path.parent, secrets)
    own = SecretStore(state_dir(environ), environ)
    return Sources(environ, path.parent, own, lambda url: fleet_secrets(url, environ))


def parse(text: str, file: str, sources: Sources) -> Loaded | Problems:
    """As `load`, from a text that was read already. `file` is its name for problems."""
    findings = Findings(read_document(text, file))
    if findings.document.data is None and findings.document.problems:
        return Problems(tuple(findings.document.problems))
    section = _file_section(findings, sources)
    if section is None:
        return findings.failed() or Problems((Problem(file, 0, "", "cannot be used"),))
    prices = _prices(section, findings)
    drafts = draft_bots(section.bots, section.defaults, findings)
    providers = provider_settings(section, drafts, sources.environ, findings)
    checks.check(section, drafts, prices, providers, findings)
    check_knowledge(section.knowledge, sources.folder, findings)
    failed = findings.failed()
    if failed is not None:
        return failed
    plans = convert.to_plans(section)
    workspaces = convert.to_workspaces(section)
    return Loaded(
        Settings(
            server=convert.to_server(section.server),
            store_url=section.store.url or DEFAULT_STORE,
            state_dir=state_dir(sources.environ),
            retention_days=section.store.retention_days,
            providers=providers,
            prices=prices,
            plans=plans,
            workspaces=workspaces,
            reload=section.reload == "auto",
            bots=tuple(convert.to_bot(draft, plans, workspaces, section.workflows) for draft in drafts),
            alerts=convert.to_alerts(section.alerts),
            wallet=convert.to_wallet(section.wallet),
            knowledge=to_collections(section.knowledge, sources.folder),
        ),
        findings.ordered_warnings(),
    )


def state_dir(environ: Mapping[str, str]) -> Path:
    """The state folder: $BOTRUNNER_STATE, else systemd's $STATE_DIRECTORY, else ~/.local/state/botrunner."""
    chosen = environ.get("BOTRUNNER_STATE") or environ.get("STATE_DIRECTORY", "").split(":")[0]
    if chosen:
        return Path(chosen)
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "state" / "botrunner"


def _file_section(findings: Findings, sources: Sources) -> FileSection | None:
    """The file as sections. Top-level keys that start with `x-` are the operator's own, for anchors."""
    data = findings.document.data
    if not isinstance(data, dict | None):
        findings.problem((), "must be a mapping (name: value)")
        return None
    known = {
        key: value
        for key, value in (data or {}).items()
        if not key.startswith("x-") and (value is not None or key == "bots")
    }
    sources = with_fleet_secrets(known, findings, sources)
    section, _ = shape(FileSection, fill_in(known, findings, sources), findings, ())
    return section


def _prices(section: FileSection, findings: Findings) -> PriceBook:
    shipped = load_book(section.price_book)
    rows = price_rows(section.prices, shipped)
    for problem in rows.problems:
        findings.problem(("prices", *problem.path), findings.sealed.hide(problem.message))
    return shipped.with_rows(rows.rows)
