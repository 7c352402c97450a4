"""A new key for all secrets: whatever happens on the way, every one of them can be read."""

import fcntl
import os
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from runner.config import secret_keys, secret_store
from runner.config.files import alone_in, replace_file
from runner.config.secret_keys import KEY_VARIABLE
from runner.config.secret_store import SecretStore
from runner.config.secret_tokens import Kept, NoNewKey, Rotation
from runner.config.secrets import SecretsUnreadable

OURS = {"a": "one", "b": "two\nlines", "c": "three"}


def filled(folder: Path, environ: dict[str, str] | None = None) -> SecretStore:
    store = SecretStore(folder, environ or {})
    for name, text in OURS.items():
        store.set(name, text)
    return store


def held(store: SecretStore) -> dict[str, str | None]:
    return {name: store.lookup(name) for name in store.names()}


def test_the_old_key_opens_nothing_any_more(tmp_path: Path) -> None:
    store = filled(tmp_path)
    old, tokens = (tmp_path / "secrets.key").read_text(), (tmp_path / "secrets.json").read_text()
    assert store.rotate() == Rotation(3, str(tmp_path / "secrets.key"))
    new = (tmp_path / "secrets.key").read_text()
    assert (len(new.split()), new == old) == (1, False)
    assert held(store) == OURS
    with pytest.raises(SecretsUnreadable, match="another key"):
        SecretStore(tmp_path, {KEY_VARIABLE: old}).lookup("a")
    (tmp_path / "secrets.json").write_text(tokens)
    with pytest.raises(SecretsUnreadable, match="another key"):
        store.lookup("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.json", "secrets.key"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_when_a_secret_was_set_is_kept(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = store.entries()
    assert [entry.name for entry in before] == list(OURS)
    assert all(entry.set_at_s is not None and entry.set_at_s > 1_700_000_000 for entry in before)
    store.rotate()
    assert store.entries() == before


def test_a_damaged_token_has_no_time(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"version": 1, "secrets": {"a": "!", "b": "x"}}')
    assert SecretStore(tmp_path, {}).entries() == [Kept("a", None), Kept("b", None)]


@pytest.mark.parametrize("written", range(3))
def test_after_a_crash_on_the_way_all_can_be_read_and_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    store = filled(tmp_path)
    left = [written]

    def dies(*arguments: object, **more: object) -> bool:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        return replace_file(*arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(secret_store, "replace_file", dies)
        patch.setattr(secret_keys, "replace_file", dies)
        with pytest.raises(OSError, match="No space"):
            store.rotate()
    assert left == [0]
    assert held(store) == OURS
    store.set("a", "one")
    assert store.rotate() == Rotation(3, str(tmp_path / "secrets.key"))
    assert held(store) == OURS
    assert len((tmp_path / "secrets.key").read_text().split()) == 1


def test_what_cannot_be_opened_is_left_as_it_is(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "secrets.key").write_bytes(Fernet.generate_key())
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for deed in (store.rotate, lambda: store.set("d", "four")):
        with pytest.raises(SecretsUnreadable, match="a was encrypted with another key"):
            deed()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_no_key_is_made_where_secrets_wait_for_another(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "secrets.key").unlink()
    for deed in (store.rotate, lambda: store.set("d", "four")):
        with pytest.raises(SecretsUnreadable, match="there is no key"):
            deed()
    assert store.remove("a")
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


def test_without_a_state_folder_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnreadable, match="there is no key"):
        SecretStore(tmp_path / "state", {}).rotate()
    assert not SecretStore(tmp_path / "state", {}).remove("a")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------- a key from outside


def test_a_key_from_outside_is_not_ours_to_change(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    assert filled(tmp_path, {KEY_VARIABLE: old}).rotate() == NoNewKey(f"${KEY_VARIABLE}")
    both = SecretStore(tmp_path, {KEY_VARIABLE: f"{new} {old}\n"})
    assert held(both) == OURS
    assert both.rotate() == Rotation(3, f"${KEY_VARIABLE}", old_keys=1)
    assert held(SecretStore(tmp_path, {KEY_VARIABLE: new})) == OURS
    with pytest.raises(SecretsUnreadable, match="another key"):
        SecretStore(tmp_path, {KEY_VARIABLE: old}).lookup("a")
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


def test_the_file_s_key_can_move_into_a_credential(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    own = (tmp_path / "state" / "secrets.key").read_bytes()
    (credentials / "botrunner-key").write_bytes(Fernet.generate_key() + b"\n" + own)
    store = SecretStore(tmp_path / "state", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert store.rotate() == Rotation(3, "the credential botrunner-key", old_keys=1)
    (tmp_path / "state" / "secrets.key").unlink()
    assert held(store) == OURS


def test_an_empty_key_is_told(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "secrets.key").write_text("\n")
    with pytest.raises(SecretsUnreadable, match=r"secrets\.key is empty"):
        store.lookup("a")


# --------------------------------------------------------------------------------- one at a time


def test_a_reader_that_is_overtaken_reads_both_files_again(tmp_path: Path) -> None:
    """It has read the old tokens when a rotation ends, and finds only the new key."""
    store, other = filled(tmp_path), SecretStore(tmp_path, {})
    read, rotated = store._tokens, list[bool]()

    class Overtaken(SecretStore):
        def _tokens(self) -> dict[str, str]:
            tokens = read()
            if not rotated:
                rotated.append(True)
                other.rotate()
            return tokens

    assert Overtaken(tmp_path, {}).lookup("a") == "one"
    assert rotated == [True]


def test_whoever_changes_the_store_waits_for_the_other(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with alone_in(tmp_path):
        waiting = threading.Thread(target=store.set, args=("d", "four"))
        waiting.start()
        assert "d" not in store.names()
    waiting.join(60)
    assert held(store) == {**OURS, "d": "four"}


def test_a_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone_in(tmp_path):
        raise RuntimeError
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_folder_s_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1235)
    filled(tmp_path).rotate()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()} == {(1234, 1235)}
