"""The secrets of a fleet: in the store that all daemons share, under a key that all are given."""

from collections.abc import Awaitable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from runner.config.secret_keys import CREDENTIAL, KEY_VARIABLE
from runner.config.secret_store import SecretStore
from runner.config.secret_tokens import Kept, NoNewKey, Rotation
from runner.config.secrets import SecretsUnreadable
from runner.config.shared_secrets import SharedSecrets, TokenSecrets
from runner.ports.sharing import SharedValues
from runner.store.memory.values import MemoryValues

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
HUSH = "sk-hush-1234"


def given(values: SharedValues, key: str | None = OLD) -> SharedSecrets:
    return SharedSecrets(values, {} if key is None else {KEY_VARIABLE: key}, lambda: 0)


async def looked_up(values: SharedValues, name: str, key: str = OLD) -> str | None:
    tokens = await given(values).tokens()
    return TokenSecrets(tokens, {KEY_VARIABLE: key}).lookup(name)


async def test_one_daemon_reads_what_was_set_elsewhere() -> None:
    values = MemoryValues()
    await given(values).set("openai", f"{HUSH}\nwith a line")
    await given(values).set("other", "o")
    assert await looked_up(values, "openai") == f"{HUSH}\nwith a line"
    assert await looked_up(values, "nothing") is None
    kept = await given(values, None).entries()
    assert [entry.name for entry in kept] == ["openai", "other"]
    assert all(entry.set_at_s for entry in kept)
    stored = await values.values("", 0)
    assert list(stored) == ["secret/openai", "secret/other"]
    assert not any(HUSH in token for token in stored.values())
    assert [await given(values, None).remove("openai") for _ in range(2)] == [True, False]
    assert await looked_up(values, "openai") is None


async def test_the_key_of_a_state_folder_is_none(tmp_path: Path) -> None:
    SecretStore(tmp_path, {}).set("a", "1")
    values, environ = MemoryValues(), {"BOTRUNNER_STATE": str(tmp_path)}
    with pytest.raises(SecretsUnreadable, match=r"are all given one.*botrunner secret key"):
        await SharedSecrets(values, environ, lambda: 0).set("a", "1")
    with pytest.raises(SecretsUnreadable, match="are all given one"):
        await given(values, None).rotate()
    await given(values).set("a", "1")
    with pytest.raises(SecretsUnreadable, match="are all given one"):
        TokenSecrets(await given(values).tokens(), environ).lookup("a")


async def test_a_credential_is_a_key(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_text(f"{OLD}\n", encoding="utf-8")
    environ, values = {"CREDENTIALS_DIRECTORY": str(tmp_path), KEY_VARIABLE: NEW}, MemoryValues()
    await SharedSecrets(values, environ, lambda: 0).set("a", "1")
    assert await looked_up(values, "a", OLD) == "1"


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(SecretsUnreadable) as caught:
        await work
    return str(caught.value)


async def test_under_another_key_nothing_is_read_or_written() -> None:
    values = MemoryValues()
    await given(values).set("a", "1")
    assert await refused(given(values, NEW).set("b", "2")) == "a was encrypted with another key"
    assert await refused(looked_up(values, "a", NEW)) == "a was encrypted with another key"
    assert await refused(given(values, f"{NEW} {Fernet.generate_key().decode()}").rotate())
    assert (
        await refused(given(values, "short").set("b", "2")) == f"${KEY_VARIABLE} holds what is no Fernet key"
    )
    assert list(await values.values("", 0)) == ["secret/a"]
    assert await looked_up(values, "a") == "1"


async def test_one_secret_cannot_be_put_in_anothers_place() -> None:
    values = MemoryValues()
    await given(values).set("a", "1")
    token = await values.value("secret/a", 0)
    assert token is not None
    await values.put("secret/b", token, 0)
    assert await refused(looked_up(values, "b")) == "b was stored under another name"


@pytest.mark.parametrize(("name", "text"), [("", "x"), ("a/b", "x"), ("ok", ""), ("ok", "x" * 65_537)])
async def test_what_cannot_be_kept_is_refused(name: str, text: str) -> None:
    values = MemoryValues()
    with pytest.raises(ValueError, match="a secret"):
        await given(values).set(name, text)
    assert await values.values("", 0) == {}


async def test_the_longest_secret_can_be_kept() -> None:
    values = MemoryValues()
    await given(values).set("a", "x" * 65_536)
    assert await looked_up(values, "a") == "x" * 65_536


async def test_a_rotation_needs_no_old_key_afterwards() -> None:
    values = MemoryValues()
    for name in "abc":
        await given(values).set(name, name * 3)
    assert await given(values).rotate() == NoNewKey(f"${KEY_VARIABLE}")
    assert await given(values, f"{NEW}\n{OLD}").rotate() == Rotation(3, f"${KEY_VARIABLE}", 1)
    assert [await looked_up(values, name, NEW) for name in "abc"] == ["aaa", "bbb", "ccc"]
    assert await refused(looked_up(values, "a", OLD)) == "a was encrypted with another key"


async def test_a_damaged_token_is_told() -> None:
    values = MemoryValues()
    await values.put("secret/a", "nonsense!", 0)
    assert await given(values).entries() == [Kept("a", None)]
    assert await refused(looked_up(values, "a")) == "a was encrypted with another key"


def test_nothing_shows_a_token_or_a_key() -> None:
    shown = repr(TokenSecrets({"a": "gAAAAtoken"}, {KEY_VARIABLE: OLD}))
    assert "gAAAA" not in shown
    assert OLD not in shown
