"""`store.url`: what is wrong with it is found before anything connects, and its password is never shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.config.hidden import secrets_of
from runner.config.loader import load
from runner.config.problems import Problems
from runner.config.secret_store import SecretStore
from runner.config.secrets import Secrets, SecretsUnreadable
from runner.config.settings import Loaded
from runner.config.store_address import wrong_with
from runner.config.stored_secrets import unreached
from runner.errors import StoreError

BOTS = """
bots:
  ada: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Be kind., %s}
"""
GOOD = [
    "postgresql://db/botrunner",
    "postgres://bot:hush@db.example:6432/botrunner?sslmode=verify-full",
    "postgresql://bot@[::1]:5432/botrunner",
    "postgresql://one:5432,two:5433/botrunner?target_session_attrs=read-write",
    "postgresql:///botrunner?host=/run/postgresql",
    "sqlite:///var/lib/botrunner/botrunner.db",
    "botrunner.db",
    "memory:",
]


class Told(dict[str, str]):
    """Secrets of a fleet."""

    def lookup(self, name: str) -> str | None:
        return self.get(name)


def read(
    folder: Path, url: str, environ: Mapping[str, str] | None = None, bot: str = "enabled: true", **named: Any
) -> Loaded | Problems:
    file = folder / "bots.yaml"
    file.write_text(f'store: {{url: "{url}"}}\n{BOTS % bot}', encoding="utf-8")
    return load(file, {"BOTRUNNER_STATE": str(folder / "state"), **(environ or {})}, **named)


def problems(found: Loaded | Problems) -> list[str]:
    assert isinstance(found, Problems)
    return [f"{problem.line} {problem.path}: {problem.message}" for problem in found.problems]


@pytest.mark.parametrize("url", GOOD)
def test_a_good_address(tmp_path: Path, url: str) -> None:
    found = read(tmp_path, url)
    assert isinstance(found, Loaded), str(found)
    assert found.settings.store_url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://bot:hush@db", "names no database"),
        ("postgresql://bot:hush@db/", "names no database"),
        ("postgresql://bot:hush@db:hush/x", "a port that is none"),
        ("postgresql://bot:hush@one,two:0/x", "a port that is none"),
        ("postgresql://bot:hush@db:65536/x", "a port that is none"),
        ("postgresql://bot:hush@[db/x", "cannot be read"),
        ("postgresql://bot:hush@db/x?sslmode=hush", "an sslmode that is none of disable, allow, prefer"),
        ("mysql://bot:hush@db/x", "mysql: is no kind of store"),
        ("sqlite:", "names no file"),
    ],
)
def test_a_faulty_address_is_a_problem_that_does_not_repeat_it(
    tmp_path: Path, url: str, message: str
) -> None:
    [told] = problems(read(tmp_path, url))
    assert told.startswith("1 store.url: ")
    assert message in told
    assert "hush" not in told
    assert message in wrong_with(url)


def test_the_password_comes_from_outside_and_is_shown_nowhere(tmp_path: Path) -> None:
    found = read(tmp_path, "postgresql://bot:${DB_PASSWORD}@db/botrunner", {"DB_PASSWORD": "hu%40sh"})
    assert isinstance(found, Loaded)
    assert found.settings.store_url == "postgresql://bot:hu%40sh@db/botrunner"
    assert "sh@db" not in repr(found)
    assert {"hu%40sh", "hu@sh"} <= secrets_of(found.settings)
    [told] = problems(read(tmp_path, "postgresql://bot:${DB_PASSWORD}@db/botrunner"))
    assert told == "1 store.url: the environment variable DB_PASSWORD is not set"


def test_a_password_among_the_parameters_is_one_too(tmp_path: Path) -> None:
    found = read(tmp_path, "postgresql://db/botrunner?user=bot&password=hush-hush")
    assert isinstance(found, Loaded)
    assert "hush-hush" in secrets_of(found.settings)


@pytest.mark.parametrize("url", ["${secret:db}", "postgresql://bot:${secret:db}@db/botrunner"])
def test_the_address_is_no_secret_of_the_store_itself(tmp_path: Path, url: str) -> None:
    [told] = problems(read(tmp_path, url))
    assert told.startswith(
        "1 store.url: cannot be a ${secret:…}: the secrets of several daemons are kept in that"
    )


def test_secrets_come_from_the_fleets_store(tmp_path: Path) -> None:
    SecretStore(tmp_path / "state", {}).set("welcome", "of this machine")
    asked: list[tuple[str, str]] = []

    def fleet_secrets(url: str, environ: Mapping[str, str]) -> Secrets:
        asked.append((url, environ["DB"]))
        return Told(welcome="of the fleet")

    using = 'welcome_message: "${secret:welcome}"'
    found = read(tmp_path, "${DB}", {"DB": "postgres://db/x"}, using, fleet_secrets=fleet_secrets)
    assert isinstance(found, Loaded)
    assert (found.settings.bots[0].texts.welcome, asked) == ("of the fleet", [("postgres://db/x",) * 2])
    for url in ("sqlite:botrunner.db", "memory:", "${DB:-other.db}"):
        own = read(tmp_path, url, {}, using, fleet_secrets=fleet_secrets)
        assert isinstance(own, Loaded)
        assert own.settings.bots[0].texts.welcome == "of this machine"
    assert len(asked) == 1


def test_a_store_that_cannot_be_reached_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """Of the file's secrets it is the fault, for whoever wants to see all faults."""
    using, url = 'welcome_message: "${secret:welcome}"', "postgresql://bot:hush@127.0.0.1:1/x"
    with pytest.raises(StoreError, match=r"^127\.0\.0\.1:1/x cannot be reached") as caught:
        read(tmp_path, url, {}, using)
    found = read(tmp_path, url, {}, using, fleet_secrets=unreached(caught.value))
    [told] = problems(found)
    assert "the secret welcome cannot be read: 127.0.0.1:1/x cannot be reached" in told
    assert isinstance(read(tmp_path, url), Loaded), "who needs no secret asks for none"


def test_what_cannot_be_reached_is_unreadable() -> None:
    with pytest.raises(SecretsUnreadable, match="gone"):
        unreached(StoreError("gone"))("postgresql://db/x", {}).lookup("a")
