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
