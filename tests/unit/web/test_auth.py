"""Tokens: HS256 only, with an end and a scope; a forged one opens nothing and breaks nothing."""

import base64
import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.bots import Secret
from runner.clock import SystemClock
from runner.errors import OperatorError
from runner.web.auth import SECRET_FILE, NoEntry, Scope, check_token, load_secret, make_token

KEY = b"0123456789abcdef0123456789abcdef"


def now_s() -> int:
    return SystemClock().now_ms() // 1000


def signed(algorithm: str = "HS256", key: bytes | str = KEY, **claims: Any) -> str:
    whole = {"scope": "admin", "exp": now_s() + 60, **claims}
    return jwt.encode(
        {name: value for name, value in whole.items() if value is not None}, key, algorithm=algorithm
    )


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def status_of(token: str, needed: Scope = "admin", scheme: str = "Bearer") -> int:
    with pytest.raises(NoEntry) as no:
        check_token(KEY, f"{scheme} {token}", needed)
    assert token not in str(no.value)
    return no.value.status


@pytest.mark.parametrize(("made", "needed"), [("admin", "admin"), ("admin", "read"), ("read", "read")])
def test_a_good_token_opens_what_its_scope_says(made: Scope, needed: Scope) -> None:
    check_token(KEY, f"Bearer {make_token(KEY, made, 1, now_s())}", needed)
    check_token(KEY, f"bearer   {make_token(KEY, made, 1, now_s())}  ", needed)


def test_reading_is_not_changing() -> None:
    assert status_of(make_token(KEY, "read", 1, now_s()), "admin") == 403


def test_a_token_ends() -> None:
    assert status_of(make_token(KEY, "admin", 1, now_s() - 86_400)) == 401


def test_an_unsigned_token_is_none() -> None:
    claims = {"scope": "admin", "exp": now_s() + 60}
    for name in ("none", "None", "NONE", "nOnE"):
        assert status_of(f"{part({'alg': name, 'typ': 'JWT'})}.{part(claims)}.") == 401
        assert status_of(f"{part({'alg': name, 'typ': 'JWT'})}.{part(claims)}.{part('x')}") == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_not_taken_though_the_secret_is_right(algorithm: str) -> None:
    assert status_of(signed(algorithm, KEY * 2)) == 401
    with pytest.raises(NoEntry):
        check_token(KEY * 2, f"Bearer {signed(algorithm, KEY * 2)}", "read")


def test_another_secret_opens_nothing() -> None:
    assert status_of(signed(key=KEY[::-1])) == 401


def test_a_changed_claim_breaks_the_signature() -> None:
    head, _, signature = make_token(KEY, "read", 1, now_s()).split(".")
    assert status_of(f"{head}.{part({'scope': 'admin', 'exp': now_s() + 60})}.{signature}") == 401


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"exp": None}, 401),
        ({"scope": None}, 401),
        ({"exp": "soon"}, 401),
        ({"scope": "root"}, 403),
        ({"scope": ["admin"]}, 403),
        ({"scope": {"admin": 1}}, 403),
        ({"scope": "admin read"}, 403),
        ({"scope": "ADMIN"}, 403),
    ],
)
def test_claims_that_lack_something(claims: dict[str, Any], status: int) -> None:
    assert status_of(signed(**claims), "read") == status


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "token", "Bearer  \t "])
def test_no_token_at_all(header: str) -> None:
    with pytest.raises(NoEntry, match="botrunner token") as no:
        check_token(KEY, header, "read")
    assert no.value.status == 401


@example("\ud800")
@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_no_text_is_a_token_and_none_breaks_the_check(text: str) -> None:
    for header in (text, f"Bearer {text}", f"Bearer a.{text}.b"):
        with pytest.raises(NoEntry) as no:
            check_token(KEY, header, "read")
        assert no.value.status == 401


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    made = load_secret(state, None)
    assert len(made) >= 32
    assert load_secret(state, None) == made
    assert stat.S_IMODE((state / SECRET_FILE).stat().st_mode) == 0o600
    assert [file.name for file in state.iterdir()] == [SECRET_FILE]


def test_the_operators_secret_goes_first(tmp_path: Path) -> None:
    assert load_secret(tmp_path, Secret("given")) == b"given"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("left", [b"", b"\n", b"0123456789"])
def test_what_a_crash_left_half_written_is_no_secret(tmp_path: Path, left: bytes) -> None:
    (tmp_path / SECRET_FILE).write_bytes(left)
    made = load_secret(tmp_path, None)
    assert len(made) >= 32
    assert load_secret(tmp_path, None) == made
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"jwt\.secret") as told:
        load_secret(tmp_path / "file", None)
    assert "BOTRUNNER_STATE" in told.value.hint


def test_who_begins_at_once_with_others_has_their_secret(tmp_path: Path) -> None:
    for round_ in range(20):
        start = threading.Barrier(4)

        def load(state: Path = tmp_path / str(round_), start: threading.Barrier = start) -> bytes:
            start.wait()
            return load_secret(state, None)

        with ThreadPoolExecutor(4) as pool:
            found = {made.result() for made in [pool.submit(load) for _ in range(4)]}
        assert len(found) == 1
        assert len(found.pop()) >= 32
