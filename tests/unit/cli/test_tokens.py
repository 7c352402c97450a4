"""token."""

import pytest

from runner.web.auth import NoEntry, check_token, load_secret
from tests.unit.cli.desk import BOTS, Desk


def test_a_token_opens_what_it_says(desk: Desk) -> None:
    desk.write()
    token = desk.type("token").out.strip()
    secret = load_secret(desk.state, None)
    check_token(secret, f"Bearer {token}", "read")
    with pytest.raises(NoEntry):
        check_token(secret, f"Bearer {token}", "admin")
    check_token(secret, f"Bearer {desk.type('token', '--scope', 'admin').out.strip()}", "admin")


def test_with_the_operators_secret(desk: Desk) -> None:
    secret = "a secret that is long enough for HS256"
    desk.write(f"server: {{jwt_secret: {secret}}}\n{BOTS}")
    token = desk.type("token", "--days", "1").out.strip()
    check_token(secret.encode(), f"Bearer {token}", "read")
    assert not (desk.state / "jwt.secret").exists()


@pytest.mark.parametrize("arguments", [["--scope", "root"], ["--days", "0"]])
def test_what_is_not_understood(desk: Desk, arguments: list[str]) -> None:
    desk.write()
    assert desk.type("token", *arguments).code == 2


def test_where_the_store_that_has_the_secret_cannot_be_reached(desk: Desk) -> None:
    desk.write(f"store: {{url: 'postgresql://bot:hush-hush@127.0.0.1:1/bots'}}\n{BOTS}")
    told = desk.type("token")
    assert (told.code, told.out) == (1, "")
    assert "127.0.0.1:1/bots cannot be reached" in told.err
    assert "or set server.jwt_secret" in told.err
    assert "hush" not in told.err
    assert not (desk.state / "jwt.secret").exists()


def test_with_the_operators_secret_no_store_is_asked(desk: Desk) -> None:
    secret = "a secret that is long enough for HS256"
    desk.write(
        f"server: {{jwt_secret: {secret}}}\nstore: {{url: 'postgresql://bot@127.0.0.1:1/bots'}}\n{BOTS}"
    )
    check_token(secret.encode(), f"Bearer {desk.type('token').out.strip()}", "read")
