"""secret set, list, rm and rotate."""

import json
import os
import pty
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from runner.config.secret_keys import KEY_VARIABLE
from runner.config.secret_store import SecretStore
from tests.guards.tree import ROOT
from tests.unit.cli.desk import BOTS, Desk

HUSH = "sk-hush-1234"
USING = """\
x-spare: ${secret:spare}
server: {jwt_secret: "${secret:signing}"}
providers:
  openai: {api_key: "${secret:openai}"}
workspaces: {w: {servers: {s: {url: "http://127.0.0.1:9", headers: {Key: "${secret:orders}"}}}}}
defaults: {welcome_message: "$${secret:no} ${secret:shared}"}
bots:
  a: {platform: custom, llm_provider: echo, llm_model: echo, fallbacks: [openai/gpt-4o]}
  b: {platform: custom, llm_provider: echo, llm_model: echo, llm_api_key: "${secret:own}", workspace_id: w}
"""


def keep(desk: Desk, *names: str) -> None:
    for name in names:
        assert desk.type("secret", "set", name, "--from-stdin", stdin=HUSH).code == 0


def test_a_secret_comes_by_stdin_and_is_found_again(desk: Desk) -> None:
    done = desk.type("secret", "set", "openai", "--from-stdin", stdin=f"{HUSH}\n")
    assert (done.code, done.err) == (0, "")
    assert done.out == "openai is kept; a running daemon uses it from its next reload on\n"
    assert SecretStore(desk.state, {}).lookup("openai") == HUSH
    assert all(HUSH.encode() not in path.read_bytes() for path in desk.state.iterdir())


def test_it_is_typed_at_the_terminal_and_not_shown(desk: Desk) -> None:
    """In a process of its own, whose terminal shows all that is written to it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "runner", "secret", "set", "openai"]
    child = subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        shown = read_until(ours, "(not shown): ")  # from the blank on nothing that is typed is echoed
        os.write(ours, f"{HUSH}\n".encode())
        shown += read_until(ours, None)
        assert child.wait(60) == 0, shown
    finally:
        os.close(ours)
        child.kill()
        child.wait()
    assert "openai is kept" in shown
    assert HUSH not in shown
    assert SecretStore(desk.state, {}).lookup("openai") == HUSH


def read_until(terminal: int, text: str | None) -> str:
    """What the terminal shows up to that text; None: until the other end is closed."""
    shown = b""
    while text is None or text.encode() not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    return shown.decode()


def test_without_a_terminal_it_says_what_to_do(desk: Desk) -> None:
    done = desk.type("secret", "set", "openai", stdin=HUSH)
    assert done.code == 1
    assert done.err == (
        "error: there is no terminal to ask at\nhint: --from-stdin reads the secret from stdin\n"
    )


@pytest.mark.parametrize("secret", [[HUSH], [f"--{HUSH}"], [HUSH, "--from-stdin"]])
def test_it_is_never_an_argument_and_not_repeated(desk: Desk, secret: list[str]) -> None:
    done = desk.type("secret", "set", "openai", *secret)
    assert done.code == 2
    assert "never an argument" in done.err
    assert "hush" not in done.out + done.err
    assert not desk.state.exists()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a b", HUSH, "a secret's name is 1 to 100 letters"),
        ("a", "", "a secret is 1 to 65536 characters"),
        ("a", "x" * 70_000, "a secret is 1 to 65536 characters"),
    ],
)
def test_what_cannot_be_kept(desk: Desk, name: str, text: str, why: str) -> None:
    done = desk.type("secret", "set", name, "--from-stdin", stdin=text)
    assert (done.code, why in done.err) == (1, True)


def test_a_store_that_cannot_be_opened_is_told_without_a_traceback(desk: Desk) -> None:
    keep(desk, "openai")
    (desk.state / "secrets.key").chmod(0o644)
    for arguments in (["set", "b", "--from-stdin"], ["rotate"]):
        done = desk.type("secret", *arguments, stdin=HUSH)
        assert done.code == 1
        assert done.err.startswith(f"error: the secrets in {desk.state} cannot be used: ")
        assert "chmod 600" in done.err


def test_a_folder_that_cannot_be_made_is_told(desk: Desk) -> None:
    desk.state.write_text("a file")
    done = desk.type("secret", "set", "a", "--from-stdin", stdin=HUSH)
    assert (done.code, done.err) == (
        1,
        f"error: the secrets in {desk.state} cannot be used: File exists\n",
    )


# ---------------------------------------------------------------------------------- list and rm


def test_the_list_tells_who_uses_what(desk: Desk) -> None:
    desk.write(USING)
    keep(desk, "openai", "orders", "own", "shared", "signing", "spare")
    listed = json.loads(desk.type("secret", "list", "--json").out)["secrets"]
    assert {row["name"]: (row["bots"], row["places"]) for row in listed} == {
        "openai": (["a"], ["providers.openai.api_key"]),
        "orders": (["b"], ["workspaces.w.servers.s.headers.Key"]),
        "own": (["b"], ["bots.b.llm_api_key"]),
        "shared": (["a", "b"], ["defaults.welcome_message"]),
        "signing": ([], ["server.jwt_secret"]),
        "spare": ([], []),
    }
    assert all(row["set_at"].endswith("Z") for row in listed)
    done = desk.type("secret", "list")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == [
        "openai",
        "orders",
        "own",
        "shared",
        "signing",
        "spare",
    ]
    assert "a, b" in done.out
    assert "hush" not in done.out


@pytest.mark.parametrize("text", [None, BOTS, "bots: [", "", "bots: {b: 7}\nproviders: [x]\ndefaults: 3"])
def test_a_list_needs_no_good_file(desk: Desk, text: str | None) -> None:
    if text is not None:
        desk.write(text)
    assert desk.type("secret", "list").out.startswith("no secrets are kept")
    keep(desk, "openai")
    (row,) = json.loads(desk.type("secret", "list", "--json").out)["secrets"]
    assert (row["name"], row["bots"], row["places"]) == ("openai", [], [])


def test_a_secret_in_use_is_kept_unless_forced(desk: Desk) -> None:
    desk.write(USING)
    keep(desk, "openai", "spare")
    done = desk.type("secret", "rm", "openai")
    assert done.code == 1
    assert "bots.yaml refers to openai: providers.openai.api_key" in done.err
    assert SecretStore(desk.state, {}).names() == ["openai", "spare"]
    assert desk.type("secret", "rm", "spare").out == "spare is forgotten\n"
    assert desk.type("secret", "rm", "openai", "--force").out == "openai is forgotten\n"
    assert SecretStore(desk.state, {}).names() == []


def test_a_file_that_cannot_be_read_might_refer_to_it(desk: Desk) -> None:
    desk.write("bots: [")
    keep(desk, "openai")
    done = desk.type("secret", "rm", "openai")
    assert (done.code, "--force does not ask" in done.err) == (1, True)
    assert desk.type("secret", "rm", "openai", "--force").code == 0


def test_the_nearest_name_is_guessed(desk: Desk) -> None:
    keep(desk, "openai")
    done = desk.type("secret", "rm", "opnai")
    assert (done.code, done.err) == (1, "error: there is no secret 'opnai', did you mean openai?\n")


# --------------------------------------------------------------------------------------- rotate


def test_a_rotation_tells_what_it_did(desk: Desk) -> None:
    keep(desk, "a", "b")
    key = desk.state / "secrets.key"
    before = key.read_text()
    done = desk.type("secret", "rotate")
    assert (done.code, done.out) == (0, f"2 secrets are encrypted with a new key, from {key}\n")
    assert key.read_text() != before
    assert SecretStore(desk.state, {}).lookup("a") == HUSH


def test_a_key_from_outside_needs_its_owner(desk: Desk) -> None:
    old, new = (Fernet.generate_key().decode() for _ in "12")
    desk.monkeypatch.setenv(KEY_VARIABLE, old)
    keep(desk, "a")
    done = desk.type("secret", "rotate")
    assert done.code == 1
    assert done.err.startswith(
        f"error: the key comes from ${KEY_VARIABLE}, which holds only one\nhint: Put a"
    )
    desk.monkeypatch.setenv(KEY_VARIABLE, f"{new} {old}")
    done = desk.type("secret", "rotate")
    assert done.out.splitlines() == [
        f"1 secret is encrypted with a new key, from ${KEY_VARIABLE}",
        "nothing needs the keys behind it any more: take them away",
    ]
    assert old not in done.out
    assert SecretStore(desk.state, {KEY_VARIABLE: new}).lookup("a") == HUSH


def test_a_bot_s_own_key_goes_from_the_store_into_the_file_s_bot(desk: Desk) -> None:
    """The whole way: kept encrypted, referred to, checked without a warning, and not in what `check` says."""
    keep(desk, "own")
    own = '    billing_mode: byok\n    llm_api_key: "${secret:own}"\n'
    desk.write(BOTS.replace("    system_prompt: You are kind.\n", own))
    done = desk.type("check")
    assert (done.code, "all well" in done.out, HUSH in done.out) == (0, True, False)
    desk.type("secret", "rm", "own", "--force")
    assert "there is no secret own" in desk.type("check").out
