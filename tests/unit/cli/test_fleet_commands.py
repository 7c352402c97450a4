"""secret, cap and check, where bots.yaml's store is a database that several daemons share: a real one."""

import asyncio
import json
import os
import re

import pytest
from cryptography.fernet import Fernet

from runner.cli.doctor_gathering import secrets_fault
from runner.clock import SystemClock
from runner.config.secret_keys import KEY_VARIABLE
from runner.config.secret_store import SecretStore
from runner.store.catalogue import open_store, open_values
from runner.store.postgres.outside import Looked
from runner.testing.postgres_server import PostgresServer
from tests.unit.cli.desk import BOTS, Desk

HUSH = "sk-hush-1234"
USING = BOTS.replace("system_prompt: You are kind.", 'system_prompt: "${secret:prompt}"')


@pytest.fixture
def key(desk: Desk) -> str:
    """The one that all daemons have."""
    made = Fernet.generate_key().decode()
    desk.monkeypatch.setenv(KEY_VARIABLE, made)
    return made


def write(desk: Desk, url: str, text: str = BOTS) -> None:
    desk.write(f"store: {{url: '{url}'}}\n{text}")


def shared(url: str, prefix: str) -> dict[str, str]:
    """What all daemons share."""

    async def asked() -> dict[str, str]:
        async with open_values(url, SystemClock()) as found:
            return await found.values.values(prefix, found.now_ms())

    return asyncio.run(asked())


@pytest.mark.usefixtures("key")
def test_a_secret_is_kept_for_all_daemons(desk: Desk, postgres_url: str) -> None:
    write(desk, postgres_url, USING)
    assert "there is no secret prompt" in desk.type("check").out
    done = desk.type("secret", "set", "prompt", "--from-stdin", stdin=f"{HUSH}\n")
    assert (done.code, done.out) == (0, "prompt is kept; all daemons read it within some seconds\n")
    assert HUSH not in str(shared(postgres_url, "secret/"))
    assert not desk.state.exists(), "nothing is on this machine"
    listed = json.loads(desk.type("secret", "list", "--json").out)["secrets"]
    assert [(entry["name"], entry["bots"]) for entry in listed] == [("prompt", ["hello"])]
    assert desk.type("check").code == 0
    refused = desk.type("secret", "rm", "prompt")
    assert (refused.code, "refers to prompt" in refused.err) == (1, True)
    assert desk.type("secret", "rm", "prompt", "--force").code == 0
    gone = desk.type("secret", "rm", "prompt", "--force")
    assert (gone.code, gone.err) == (1, "error: there is no secret 'prompt'\n")


def test_the_key_of_this_machine_is_no_key_of_all(desk: Desk, postgres_url: str) -> None:
    desk.monkeypatch.delenv(KEY_VARIABLE, raising=False)
    SecretStore(desk.state, {}).set("prompt", "of this machine")
    write(desk, postgres_url, USING)
    refused = desk.type("secret", "set", "prompt", "--from-stdin", stdin=HUSH)
    assert refused.code == 1
    assert "the secrets of the daemons cannot be used: there is no key" in refused.err
    assert "`botrunner secret key` makes one" in refused.err
    assert "there is no secret prompt" in desk.type("check").out
    desk.monkeypatch.setenv(KEY_VARIABLE, desk.type("secret", "key").out.strip())
    assert desk.type("secret", "set", "prompt", "--from-stdin", stdin=HUSH).code == 0
    assert desk.type("check").code == 0


def test_a_key_is_printed_and_kept_nowhere(desk: Desk) -> None:
    made = [desk.type("secret", "key").out for _ in range(2)]
    assert made[0] != made[1]
    for one in made:
        assert re.fullmatch(r"[A-Za-z0-9_=-]{44}\n", one)
        Fernet(one.strip())
    assert not desk.state.exists()


def test_all_secrets_go_over_to_a_new_key(desk: Desk, key: str, postgres_url: str) -> None:
    write(desk, postgres_url, USING)
    assert desk.type("secret", "set", "prompt", "--from-stdin", stdin=HUSH).code == 0
    only = desk.type("secret", "rotate")
    assert (only.code, f"the key comes from ${KEY_VARIABLE}" in only.err) == (1, True)
    assert "`botrunner secret key` makes one" in only.err
    new = Fernet.generate_key().decode()
    desk.monkeypatch.setenv(KEY_VARIABLE, f"{new} {key}")
    assert desk.type("secret", "rotate").out.startswith("1 secret is encrypted with a new key")
    desk.monkeypatch.setenv(KEY_VARIABLE, new)
    assert desk.type("check").code == 0
    desk.monkeypatch.setenv(KEY_VARIABLE, key)
    assert "prompt was encrypted with another key" in desk.type("check").out


@pytest.mark.usefixtures("key")
def test_the_first_secret_of_an_empty_database_makes_its_tables(desk: Desk, postgres: PostgresServer) -> None:
    """No daemon can start without the secret that its file refers to."""
    url = postgres.url(postgres.fresh())
    write(desk, url, USING)
    assert desk.type("secret", "list").out.startswith("no secrets are kept")
    capped = desk.type("cap", "hello", "5.00")
    assert "there is no secret prompt" in capped.err
    assert desk.type("secret", "set", "prompt", "--from-stdin", stdin=HUSH).code == 0
    assert desk.type("check").code == 0
    asyncio.run(opened(desk, url))


async def opened(desk: Desk, url: str) -> None:
    """A daemon's store goes on from there."""
    store = open_store(url, desk.state, SystemClock())
    await store.open()
    await store.close()


@pytest.mark.usefixtures("key")
def test_a_database_that_cannot_be_reached_is_named_without_its_password(desk: Desk) -> None:
    write(desk, "postgresql://bot:${DB_PASSWORD}@127.0.0.1:1/chats", USING)
    unset = desk.type("secret", "list")
    assert (unset.code, "store.url: the environment variable DB_PASSWORD is not set" in unset.err) == (
        1,
        True,
    )
    desk.monkeypatch.setenv("DB_PASSWORD", "hush-hush")
    for command in (("secret", "list"), ("cap", "hello", "1"), ("check",), ("check", "--online")):
        done = desk.type(*command)
        assert done.code != 0
        assert "127.0.0.1:1/chats cannot be reached" in done.out + done.err
        assert "hush" not in done.out + done.err


def test_a_cap_is_set_for_all_daemons(desk: Desk, postgres_url: str) -> None:
    write(desk, postgres_url)
    before = desk.bots_yaml.read_text(encoding="utf-8")
    assert desk.type("cap", "hello", "2.50").out.startswith("hello has a cap of 2.50 USD now")
    assert desk.type("cap", "resting", "none").out.startswith("resting has no cap now")
    found = {key.rpartition("/")[0]: text for key, text in shared(postgres_url, "cap/").items()}
    assert found == {
        "cap/hello": '{"cents": 250, "file": 100}',
        "cap/resting": '{"cents": null, "file": 100}',
    }
    assert desk.bots_yaml.read_text(encoding="utf-8") == before
    unknown = desk.type("cap", "helo", "1")
    assert (unknown.code, "did you mean" in unknown.err) == (1, True)


def test_check_looks_at_the_address_and_online_at_the_database(desk: Desk, postgres_url: str) -> None:
    write(desk, "postgresql://db.invalid/chats?sslmode=verify-full")
    assert desk.type("check").code == 0, "nothing is connected to"
    write(desk, "postgresql://db.invalid/chats?sslmode=verify_full")
    assert "store.url: has an sslmode that is none of disable" in desk.type("check").out
    write(desk, postgres_url)
    told = json.loads(desk.type("check", "--online", "--json").out)
    store = told["online"][0]
    assert (store["channel"], store["ok"]) == ("store", True)
    assert re.fullmatch(r"PostgreSQL [\d.]+, schema \d+, [\d.]+ ms, 0 daemons", store["answer"])


def test_doctor_opens_each_secret_of_all_daemons(desk: Desk, key: str, postgres_url: str) -> None:
    def fault() -> str:
        return secrets_fault(desk.bots_yaml, desk.state, os.environ)

    write(desk, postgres_url, USING)
    assert desk.type("secret", "set", "prompt", "--from-stdin", stdin=HUSH).code == 0
    assert fault() == ""
    desk.monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    assert fault() == "prompt was encrypted with another key"
    desk.monkeypatch.setenv(KEY_VARIABLE, key)
    write(desk, "postgresql://bot:hush@127.0.0.1:1/chats", USING)
    assert fault() == "127.0.0.1:1/chats cannot be reached (ConnectionRefusedError)"


@pytest.mark.parametrize("own_key", [True, False])
def test_who_moves_takes_the_secrets_along(desk: Desk, postgres_url: str, own_key: bool) -> None:  # noqa: FBT001 - a case
    """The folder's secrets are under a key of its own, or under the one that all daemons are given."""
    made = Fernet.generate_key().decode()
    kept = SecretStore(desk.state, {} if own_key else {KEY_VARIABLE: made})
    kept.set("prompt", HUSH)
    kept.set("other", "o")
    desk.monkeypatch.setenv(KEY_VARIABLE, made)
    desk.write(USING)
    alone = desk.type("secret", "copy")
    assert (alone.code, "is not shared" in alone.err) == (1, True)
    write(desk, postgres_url, USING)
    assert desk.type("secret", "copy").out.startswith("2 secrets are copied; all daemons read it")
    assert desk.type("check").code == 0
    assert desk.type("secret", "copy").out.startswith("0 secrets are copied")
    assert desk.type("secret", "set", "other", "--from-stdin", stdin="another").code == 0
    refused = desk.type("secret", "copy")
    assert (refused.code, "other secrets of these names: other" in refused.err) == (1, True)
    assert desk.type("secret", "copy", "--force").out.startswith("1 secret is copied")
    assert kept.names() == ["other", "prompt"]


def test_a_pooler_that_gives_sessions_away_fails_the_check(desk: Desk) -> None:
    async def looked(url: str, clock: object) -> Looked:
        assert url.startswith("postgresql://pooler")
        assert clock
        return Looked("17.2", None, 1, 0.25, pooled=True)

    desk.monkeypatch.setattr("runner.store.catalogue.look_at", looked)
    write(desk, "postgresql://pooler:6432/chats")
    done = desk.type("check", "--online", "--json")
    store = json.loads(done.out)["online"][0]
    assert (done.code, store["ok"]) == (1, False)
    assert store["answer"].startswith(
        "PostgreSQL 17.2, no tables yet, 0.2 ms, 1 daemon, behind a pooler in transaction"
    )
