"""What `schedule:` means as a whole: each run has a name of its own, and a model that is served in batches."""

from __future__ import annotations

from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.money.prices import PriceBook


def check_schedule(draft: Draft, prices: PriceBook, findings: Findings) -> None:
    """All that can be said of one bot's schedule; whether its files are there is seen when they are due."""
    entries = draft.section.schedule
    if not entries or not draft.sure("schedule"):
        return
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.name in seen:
            path = ("schedule", index, "name")
            message = f"two entries of bot {draft.id} are called {findings.shown(entry.name)}"
            findings.problem(draft.place(*path), message, at=draft.line(path, findings))
        seen.add(entry.name)
    price = prices.find(draft.main.provider, draft.main.model)
    if draft.section.enabled and price is not None and price.batch_percent is None:
        model = findings.shown(f"{draft.main.provider}/{draft.main.model}")
        message = f"{model} has no price for batches: its runs would be refused"
        findings.problem(draft.place("schedule"), message, at=draft.line("schedule", findings))
