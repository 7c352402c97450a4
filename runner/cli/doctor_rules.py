"""What the doctor's facts mean, each with what to do. Pure.

    Facts (see `doctor_facts`) ──▶ findings(facts) ──▶ Finding(area, what, do, act)

Rules: `act` is what a person has to do something about, and what the exit code tells; the rest is worth knowing. A
fact that could not be gathered (no store yet, no daemon) makes no finding but the one that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.cli.doctor_facts import CacheFacts, DaemonFacts, Facts, FolderFacts, LinkFacts, StoreFacts

LEAST_FREE = 100 * 2**20
LOW_FREE = 2**30
SKEW_MS = 30_000
"""Platforms and providers refuse signatures and tokens at minutes; this tells of it before."""
OLD_BOOK_DAYS = 180
LONG_S = 900.0
LATE_LOOP_MS = 1000.0
FEW_CALLS = 20
"""Of a bot in the days looked at: with fewer, its cache tells nothing."""
GOOD_RATE = 30
"""Percent of the input that comes from the cache, from which on nobody asks why not more."""
MOST_PAUSES = 50
"""Percent of the calls that come after a pause that the cache does not outlive."""
OTHERS_MAY = 0o077


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to act on, or to know. `area`: where, such as `config` or `sends`."""

    area: str
    what: str
    do: str
    act: bool = True


def findings(facts: Facts) -> list[Finding]:
    """What is to be done first comes first."""
    found = [
        *_config(facts),
        *_folder(facts.folder),
        *_store(facts),
        *_daemon(facts.daemon),
        *_online(facts),
        *_sends(facts.store),
        *_money(facts),
        *(one for cache in facts.caches for one in _cache(cache)),
    ]
    return sorted(found, key=lambda one: not one.act)


def _config(facts: Facts) -> Iterator[Finding]:
    for problem in facts.problems:
        yield Finding("config", problem, "Mend the file; `botrunner check` shows the same.")
    for warning in facts.warnings:
        yield Finding("config", warning, "Look whether it is meant so.", act=False)
    if facts.secrets_fault:
        yield Finding(
            "secrets",
            facts.secrets_fault,
            "Give it the key that they were encrypted with, or set them anew: `botrunner secret set NAME`.",
        )


def _folder(folder: FolderFacts) -> Iterator[Finding]:
    if not folder.there:
        yield Finding("folder", f"{folder.path} is not there", "`botrunner run` makes it.", act=False)
        return
    if not folder.writable:
        yield Finding(
            "folder",
            f"{folder.path} cannot be written to by who runs this",
            "Run this as the daemon's user, or give the folder to it (chown).",
        )
    if folder.mode & OTHERS_MAY:
        yield Finding(
            "folder",
            f"{folder.path} may be looked into by others (mode {folder.mode:03o})",
            f"chmod 700 {folder.path}",
        )
    for name in folder.readable_by_others:
        yield Finding("folder", f"{name} may be read by others", f"chmod 600 {name}")
    if folder.free < LOW_FREE:
        yield Finding(
            "disk",
            f"{folder.free // 2**20} MiB are free where {folder.path} is",
            "Make room: old backups, `journalctl --vacuum-size=200M`, `botrunner store vacuum` (daemon stopped).",
            act=folder.free < LEAST_FREE,
        )


def _store(facts: Facts) -> Iterator[Finding]:
    store = facts.store
    if store is None:
        yield Finding(
            "store",
            "there is no store yet",
            "Nothing: `botrunner run` makes it at its first start.",
            act=False,
        )
        return
    if store.fault:
        yield Finding(
            "store",
            f"{store.path}: {store.fault}",
            "Is the database up, and does `store.url` say where it is, with a user that may use it?"
            if store.is_database
            else "Where it is damaged: stop the daemon, then `botrunner store restore BACKUP`. Else do what it says.",
        )
    if store.behind:
        yield Finding(
            "store",
            f"{store.path} has an older schema, by {store.behind} steps",
            "Nothing: the next start brings it up to date; `botrunner store migrate --dry-run`."
            if store.is_database
            else "Nothing: the next start brings it up to date, after a copy; `botrunner store migrate --dry-run`.",
            act=False,
        )
    if store.latest_ms is not None and store.latest_ms > facts.now_ms + SKEW_MS:
        ahead = (store.latest_ms - facts.now_ms) // 1000
        yield Finding(
            "clock",
            f"the latest message was accepted {ahead} s from now: the clock was set back, or was wrong then",
            "Look at the clock (`timedatectl`). Daily caps and conversations go by it.",
        )


def _daemon(daemon: DaemonFacts) -> Iterator[Finding]:
    if daemon.fault:
        yield Finding(
            "daemon", daemon.fault, "Look at its log, and restart it where it does not mend itself."
        )
        return
    if not daemon.url:
        yield Finding("daemon", "no daemon runs with this state folder", "`botrunner run`", act=False)
        return
    if daemon.lag_ms > LATE_LOOP_MS:
        yield Finding(
            "daemon",
            f"its loop was {daemon.lag_ms:.0f} ms late",
            "Does the machine swap, or is it short of processors? Else report it.",
        )
    if daemon.store_fault:
        yield Finding(
            "daemon", f"it cannot write to its store: {daemon.store_fault}", "See disk and store; `df -h`."
        )
    if daemon.files > 1:
        yield Finding(
            "daemon",
            f"the daemons of its store have {daemon.files} different bots.yaml in force",
            "Deploy the same file to all of them; `botrunner status` shows which has which.",
        )
    for fault in daemon.config_fault:
        yield Finding(
            "daemon",
            f"it goes on with the last good bots.yaml: {fault}",
            "Mend the file; `botrunner check` shows all that is wrong.",
        )
    if daemon.needs_restart:
        yield Finding(
            "daemon",
            f"changed in bots.yaml and not in force: {', '.join(daemon.needs_restart)}",
            "Restart the daemon; it loses nothing by that.",
        )
    yield from (one for link in daemon.links for one in _link(link))


def _link(link: LinkFacts) -> Iterator[Finding]:
    name = f"{link.bot} on {link.channel} is {link.state}"
    why = f": {link.why}" if link.why else ""
    if link.state == "refused":
        yield Finding(
            "connections",
            f"{name}{why}",
            "The platform does not let us in, and trying again would not help: mend that, `botrunner check"
            " --online`, then `botrunner reload` (a restart where the token is a credential).",
        )
    elif link.state in {"down", "degraded"} or (link.state == "connecting" and link.age_s > LONG_S):
        yield Finding(
            "connections",
            f"{name} for {link.age_s:.0f} s{why}",
            "It is tried again by itself: look at the network, a proxy, and the platform's status page.",
            act=link.state != "degraded" and link.age_s > LONG_S,
        )


def _online(facts: Facts) -> Iterator[Finding]:
    for bot, channel, why in facts.platforms:
        yield Finding(
            "keys", f"{bot} on {channel}: {why}", "A token that was revoked? Set another, then reload."
        )
    for host in facts.hosts:
        if host.skew_ms is None:
            yield Finding(
                "network", f"{host.host} did not answer: {host.why}", "Look at DNS, the network, a proxy."
            )
        elif abs(host.skew_ms) > SKEW_MS:
            side = "ahead of" if host.skew_ms > 0 else "behind"
            yield Finding(
                "clock",
                f"this machine's clock is {abs(host.skew_ms) // 1000} s {side} that of {host.host}",
                "`timedatectl set-ntp true`: signatures of webhooks and daily caps go by it.",
            )


def _sends(store: StoreFacts | None) -> Iterator[Finding]:
    for send in () if store is None else store.sends:
        name = f"part {send.outbox} of {send.bot} on {send.channel}"
        why = f" ({send.why})" if send.why else ""
        if send.state == "unknown":
            yield Finding(
                "sends",
                f"{name} may not have arrived{why}",
                "Look in the chat. Nothing sends it again by itself; who asked can ask again.",
                act=False,
            )
        else:
            yield Finding(
                "sends",
                f"{name} waits for {send.late_ms // 60_000} min{why}",
                "It goes when the bot's connection is up: see there.",
            )


def _money(facts: Facts) -> Iterator[Finding]:
    for bot, model, limited in facts.unpriced:
        what = (
            "its calls are refused" if limited else "its calls cost nothing in the books, and no cap holds it"
        )
        yield Finding(
            "prices",
            f"{bot}: {model} has no price: {what}",
            f"Add a row for {model} to `prices:`.",
            act=limited,
        )
    if facts.book_age_days is not None and facts.book_age_days > OLD_BOOK_DAYS:
        yield Finding(
            "prices",
            f"the price book is {facts.book_age_days} days old",
            "Compare the models that you use with their providers' pages (`botrunner prices`), or upgrade.",
            act=False,
        )
    store = facts.store
    if store is None:
        return
    if store.unknown_calls:
        yield Finding(
            "money",
            f"{store.unknown_calls} calls of unknown fate stand against the caps with {store.unknown_usd} USD",
            "`botrunner ledger reconcile` lists them; enter what the provider's bill shows.",
        )
    for model in store.aside:
        yield Finding(
            "money",
            f"{model} charged more than its bound and is not called",
            "Compare its price with the provider's page, mend `prices:`, then `botrunner ledger quarantine --clear`.",
        )


def _cache(cache: CacheFacts) -> Iterator[Finding]:
    if cache.calls < FEW_CALLS or not cache.input_tokens:
        return
    rate = cache.cached_tokens * 100 // cache.input_tokens
    if rate >= GOOD_RATE:
        return
    what = f"{cache.bot}: {rate} % of the input of its last {cache.calls} calls of {cache.model} came from the cache"
    for why, do in _reasons(cache):
        yield Finding("cache", f"{what}: {why}", do, act=False)


def _reasons(cache: CacheFacts) -> list[tuple[str, str]]:
    """Why, where it can be told; of what is certain first, and only that."""
    mean = cache.input_tokens // cache.calls
    if cache.mode == "off":
        return [("`prompt_cache: off`", "Take it out, or write `auto`.")]
    if mean < cache.least_tokens:
        return [
            (
                f"a call has {mean} tokens, and the model caches from {cache.least_tokens} on",
                "Nothing: such short calls cost little. A longer system prompt would not be cheaper.",
            )
        ]
    found = []
    if cache.sliding:
        found.append(
            ("`context: sliding` changes the beginning with each message", "Write `context: blocks`.")
        )
    if cache.after_pause * 100 >= cache.calls * MOST_PAUSES:
        do = "Write `prompt_cache: 1h`." if cache.hour else "Nothing: this model's cache lasts no longer."
        found.append((f"{cache.after_pause} of them came after a longer pause than it lasts", do))
    if cache.prefix_tokens < cache.least_tokens:
        why = (
            f"its system prompt and tools are about {cache.prefix_tokens} tokens, the model caches from"
            f" {cache.least_tokens} on: each conversation begins uncached"
        )
        found.append((why, "Nothing, unless users have long conversations."))
    return found or [
        (
            "no reason of ours is found",
            "Look at a trace's usage: does the provider cache this model, does a proxy route each call elsewhere?",
        )
    ]
