"""reload."""

import json

from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk

NOTHING: dict[str, list[str]] = {
    name: []
    for name in ("added", "removed", "changed", "reconnected", "sections", "needs_restart", "warnings")
}


def test_no_daemon(desk: Desk) -> None:
    desk.write()
    done = desk.type("reload")
    assert done.code == 1
    assert done.err.startswith(f"error: no daemon is running (state folder {desk.state})\nhint: ")


def test_what_changed(desk: Desk, admin: AdminDouble) -> None:
    told = {
        **NOTHING,
        "added": ["new", "newer"],
        "changed": ["shop"],
        "reconnected": ["shop"],
        "sections": ["prices"],
        "needs_restart": ["server.port"],
        "warnings": ["bots.yaml:3: odd"],
    }
    admin.answers["POST", "/api/reload"] = (200, told)
    done = desk.type("reload")
    assert done.code == 0
    assert done.out.splitlines() == [
        "added: new, newer",
        "changed: shop",
        "connected anew: shop",
        "also in force: prices",
        "in force after a restart only: server.port",
        "warning: bots.yaml:3: odd",
    ]
    assert json.loads(desk.type("reload", "--json").out) == told


def test_nothing_changed(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["POST", "/api/reload"] = (200, NOTHING)
    assert desk.type("reload").out == "nothing has changed\n"


def test_a_faulty_file(desk: Desk, admin: AdminDouble) -> None:
    message = "bots.yaml cannot be used; nothing changed:\nbots.yaml:1: odd\nbots.yaml:2: odder"
    admin.answers["POST", "/api/reload"] = (409, {"error": {"code": "unusable", "message": message}})
    done = desk.type("reload")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[1:] == ["bots.yaml:1: odd", "bots.yaml:2: odder"]


def test_a_file_too_faulty_to_be_let_in_by_tells_its_faults(desk: Desk, admin: AdminDouble) -> None:
    (admin.state / "web.secret").unlink(missing_ok=True)
    for found in admin.state.iterdir():
        if found.name != "daemon.json":
            found.unlink()
    (desk.folder / "bots.yaml").write_text("server: {jwt_secret: a-secret-of-the-operators-own}\nodd: 1\n")
    done = desk.type("reload")
    assert done.code == 1
    assert "bots.yaml:2: odd: unknown field" in done.err
    assert "Mend the file" in done.err
