"""What facts mean: each thing that can be amiss is told once, with what to do, and nothing else is."""

from dataclasses import replace

import pytest

from runner.cli.doctor_facts import (
    CacheFacts,
    DaemonFacts,
    Facts,
    FolderFacts,
    HostTime,
    LinkFacts,
    StoreFacts,
    StuckSend,
)
from runner.cli.doctor_rules import Finding, findings

NOW = 1_795_305_600_000
WELL = Facts(
    file="bots.yaml",
    now_ms=NOW,
    folder=FolderFacts(
        "/var/lib/botrunner", there=True, writable=True, mode=0o700, readable_by_others=(), free=50 * 2**30
    ),
    book_age_days=10,
    store=StoreFacts("/var/lib/botrunner/botrunner.db", latest_ms=NOW - 1),
    daemon=DaemonFacts("http://127.0.0.1:8080", links=(LinkFacts("a", "telegram", "up", "", 9.0),)),
)
CACHE = CacheFacts("a", "m", 100, 300_000, 0, 0, 2000, 1024, "auto", sliding=False, hour=True)


def of_store(**others: object) -> Facts:
    assert WELL.store is not None
    return replace(WELL, store=replace(WELL.store, **others))  # type: ignore[arg-type]


def of_daemon(**others: object) -> Facts:
    return replace(WELL, daemon=replace(WELL.daemon, **others))  # type: ignore[arg-type]


def of_folder(**others: object) -> Facts:
    return replace(WELL, folder=replace(WELL.folder, **others))  # type: ignore[arg-type]


def link(state: str, age_s: float = 60.0) -> Facts:
    return of_daemon(links=(LinkFacts("a", "telegram", state, "the reason", age_s),))


def only(facts: Facts) -> Finding:
    [found] = findings(facts)
    return found


def test_all_well() -> None:
    assert findings(WELL) == []


@pytest.mark.parametrize(
    ("facts", "area", "says", "advises"),
    [
        (replace(WELL, problems=("bots.yaml:3: x: y",)), "config", "bots.yaml:3", "botrunner check"),
        (replace(WELL, secrets_fault="the key does not fit"), "secrets", "does not fit", "secret set"),
        (of_folder(writable=False), "folder", "cannot be written", "chown"),
        (of_folder(mode=0o755), "folder", "mode 755", "chmod 700"),
        (of_folder(readable_by_others=("/s/secrets.key",)), "folder", "secrets.key", "chmod 600"),
        (of_folder(free=50 * 2**20), "disk", "50 MiB", "store vacuum"),
        (of_store(fault="it is damaged (page 7)"), "store", "page 7", "store restore"),
        (of_store(latest_ms=NOW + 86_400_000), "clock", "86400 s", "timedatectl"),
        (of_daemon(fault="it did not answer in time"), "daemon", "in time", "log"),
        (of_daemon(lag_ms=2500.0), "daemon", "2500 ms", "swap"),
        (of_daemon(store_fault="disk full"), "daemon", "disk full", "df -h"),
        (of_daemon(config_fault=("bots.yaml:1: no",)), "daemon", "last good", "botrunner check"),
        (of_daemon(needs_restart=("server.port",)), "daemon", "server.port", "Restart"),
        (of_daemon(files=2), "daemon", "2 different bots.yaml", "same file to all"),
        (link("refused"), "connections", "refused: the reason", "check --online"),
        (link("down", 3600), "connections", "for 3600 s", "status page"),
        (link("connecting", 3600), "connections", "connecting", "network"),
        (replace(WELL, platforms=(("a", "slack", "invalid_auth"),)), "keys", "invalid_auth", "token"),
        (replace(WELL, hosts=(HostTime("h", None, "gaierror"),)), "network", "gaierror", "DNS"),
        (replace(WELL, hosts=(HostTime("h", 90_000),)), "clock", "90 s ahead of", "set-ntp"),
        (replace(WELL, hosts=(HostTime("h", -90_000),)), "clock", "90 s behind", "set-ntp"),
        (
            of_store(sends=(StuckSend(7, "a", "telegram", "pending", "429", 3_600_000),)),
            "sends",
            "waits for 60 min (429)",
            "connection",
        ),
        (replace(WELL, unpriced=(("a", "p/m", True),)), "prices", "are refused", "prices:"),
        (of_store(unknown_calls=2, unknown_usd="0.40"), "money", "2 calls", "ledger reconcile"),
        (of_store(aside=("p/m",)), "money", "not called", "quarantine --clear"),
    ],
)
def test_a_person_has_to_act(facts: Facts, area: str, says: str, advises: str) -> None:
    found = only(facts)
    assert (found.area, found.act) == (area, True)
    assert says in found.what
    assert advises in found.do


@pytest.mark.parametrize(
    ("facts", "area", "says"),
    [
        (replace(WELL, warnings=("odd",)), "config", "odd"),
        (of_folder(there=False, writable=False, mode=0), "folder", "not there"),
        (of_folder(free=500 * 2**20), "disk", "500 MiB"),
        (replace(WELL, store=None), "store", "no store yet"),
        (of_store(behind=2), "store", "by 2 steps"),
        (replace(WELL, daemon=DaemonFacts()), "daemon", "no daemon runs"),
        (link("down"), "connections", "for 60 s: the reason"),
        (link("degraded", 10_000), "connections", "degraded"),
        (
            of_store(sends=(StuckSend(7, "a", "telegram", "unknown", "crash"),)),
            "sends",
            "may not have arrived (crash)",
        ),
        (replace(WELL, unpriced=(("a", "p/m", False),)), "prices", "no cap holds it"),
        (replace(WELL, book_age_days=200), "prices", "200 days"),
    ],
)
def test_worth_knowing(facts: Facts, area: str, says: str) -> None:
    found = only(facts)
    assert (found.area, found.act) == (area, False)
    assert says in found.what
    assert found.do


@pytest.mark.parametrize(
    "facts",
    [
        link("connecting"),
        link("off"),
        of_store(latest_ms=NOW + 1000),
        of_store(latest_ms=None),
        replace(WELL, hosts=(HostTime("h", 1500),)),
        replace(WELL, book_age_days=None),
        replace(WELL, caches=(replace(CACHE, calls=5),)),
        replace(WELL, caches=(replace(CACHE, cached_tokens=200_000),)),
    ],
)
def test_no_reason_to_worry(facts: Facts) -> None:
    assert findings(facts) == []


@pytest.mark.parametrize(
    ("cache", "says", "advises"),
    [
        (replace(CACHE, mode="off", sliding=True), ["`prompt_cache: off`"], ["auto"]),
        (replace(CACHE, input_tokens=50_000, sliding=True), ["500 tokens", "from 1024"], ["Nothing"]),
        (replace(CACHE, sliding=True), ["`context: sliding`"], ["blocks"]),
        (replace(CACHE, after_pause=60), ["60 of them"], ["prompt_cache: 1h"]),
        (replace(CACHE, after_pause=60, hour=False), ["60 of them"], ["lasts no longer"]),
        (replace(CACHE, prefix_tokens=100), ["about 100 tokens"], ["long conversations"]),
        (CACHE, ["no reason of ours"], ["proxy"]),
    ],
)
def test_why_the_cache_is_missed(cache: CacheFacts, says: list[str], advises: list[str]) -> None:
    found = only(replace(WELL, caches=(cache,)))
    assert (found.area, found.act) == ("cache", False)
    assert "a: 0 % of the input of its last 100 calls of m" in found.what
    assert all(word in found.what for word in says)
    assert all(word in found.do for word in advises)


def test_several_reasons_are_several_findings() -> None:
    cache = replace(CACHE, sliding=True, after_pause=90)
    assert len(findings(replace(WELL, caches=(cache,)))) == 2


def test_what_is_to_be_done_comes_first() -> None:
    facts = replace(of_store(aside=("p/m",)), warnings=("odd",), book_age_days=999)
    assert [one.act for one in findings(facts)] == [True, False, False]
