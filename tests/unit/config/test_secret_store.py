"""Secrets are kept encrypted, found again, and nothing else is possible."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from runner.config.loader import load
from runner.config.reload import difference
from runner.config.secret_keys import KEY_VARIABLE
from runner.config.secret_store import SecretStore
from runner.config.secrets import SecretsUnreadable
from runner.config.settings import Loaded, Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_found_again_by_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    SecretStore(folder, {}).set("openai", "sk-hush\nwith a line")
    SecretStore(folder, {}).set("other", "o")
    again = SecretStore(folder, {})
    assert again.lookup("openai") == "sk-hush\nwith a line"
    assert again.lookup("nobody") is None
    assert again.names() == ["openai", "other"]


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.set("openai", "sk-hush")
    assert all(b"sk-hush" not in path.read_bytes() for path in tmp_path.iterdir())
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
        "secrets.json": 0o600,
        "secrets.key": 0o600,
    }


def test_a_secret_is_replaced_and_removed(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.set("a", "1")
    store.set("a", "2")
    assert store.lookup("a") == "2"
    assert store.remove("a") is True
    assert store.remove("a") is False
    assert (store.lookup("a"), store.names()) == (None, [])


@pytest.mark.parametrize("source", ["environment", "credential"])
def test_the_key_may_come_from_outside(tmp_path: Path, source: str) -> None:
    key = Fernet.generate_key()
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "botrunner-key").write_bytes(key + b"\n")
    by_environment = {KEY_VARIABLE: key.decode()}
    by_credential = {"CREDENTIALS_DIRECTORY": str(tmp_path / "creds"), KEY_VARIABLE: "not this one"}
    environ = by_environment if source == "environment" else by_credential
    SecretStore(tmp_path / "state", environ).set("a", "1")
    assert SecretStore(tmp_path / "state", environ).lookup("a") == "1"
    assert not (tmp_path / "state" / "secrets.key").exists()


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    SecretStore(tmp_path, {}).set("a", "1")
    other = SecretStore(tmp_path, {KEY_VARIABLE: Fernet.generate_key().decode()})
    with pytest.raises(SecretsUnreadable, match="another key"):
        other.lookup("a")
    with pytest.raises(SecretsUnreadable, match="no Fernet key"):
        SecretStore(tmp_path, {KEY_VARIABLE: "short"}).lookup("a")


def test_a_token_cannot_take_the_place_of_another(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.set("cheap", "1")
    store.set("dear", "2")
    file = tmp_path / "secrets.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept["secrets"]["cheap"] = kept["secrets"]["dear"]
    file.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(SecretsUnreadable, match="another name"):
        store.lookup("cheap")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2, "secrets": {}}', '{"version": 1, "secrets": {"a": 1}}']
)
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content, encoding="utf-8")
    with pytest.raises(SecretsUnreadable, match="damaged"):
        SecretStore(tmp_path, {}).set("a", "1")
    assert (tmp_path / "secrets.json").read_text(encoding="utf-8") == content


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.set("a", "1")
    (tmp_path / "secrets.key").chmod(0o644)
    with pytest.raises(SecretsUnreadable, match="chmod 600"):
        store.lookup("a")
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(SecretsUnreadable, match="there is no key"):
        store.lookup("a")


@pytest.mark.parametrize(
    ("name", "text"), [("", "x"), ("a b", "x"), ("../a", "x"), ("a", ""), ("a", "x" * 65_537)]
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ValueError, match="a secret"):
        SecretStore(tmp_path, {}).set(name, text)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_secret_is_in_the_next_reading_and_a_new_key_changes_nothing(tmp_path: Path) -> None:
    """What a daemon does at a reload: only the bot whose secret is another one has changed."""
    environ = {"BOTRUNNER_STATE": str(tmp_path)}
    file, store = tmp_path / "bots.yaml", SecretStore(tmp_path, environ)
    file.write_text(
        "defaults: {platform: custom, llm_provider: echo, llm_model: echo, billing_mode: byok}\n"
        "bots: {a: {llm_api_key: '${secret:a}'}, b: {llm_api_key: '${secret:b}'}}\n",
        encoding="utf-8",
    )
    for name in "ab":
        store.set(name, "one")
    before = read(file, environ)
    store.rotate()
    assert difference(before, read(file, environ)).is_empty
    store.set("b", "two")
    (change,) = difference(before, read(file, environ)).changed
    assert (change.bot, change.fields, change.channels) == ("b", ("llm_api_key",), ())


def read(file: Path, environ: dict[str, str]) -> Settings:
    loaded = load(file, environ)
    assert isinstance(loaded, Loaded), str(loaded)
    assert loaded.warnings == ()
    return loaded.settings
