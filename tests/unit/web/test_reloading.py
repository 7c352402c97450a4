"""bots.yaml is read again by a call of the admin API."""

from runner.ports.reloads import Reloaded, Unusable
from tests.unit.web.web_stage import Stage, bearer


async def test_what_is_in_force_now_is_told() -> None:
    async with Stage() as stage:
        stage.reloads.outcome = Reloaded(
            ("new",), (), ("shop", "other"), ("shop",), ("prices",), ("server.port",)
        )
        status, told, _ = await stage.ask("POST", "/api/reload", headers=bearer())
    assert status == 200
    assert told == {
        "added": ["new"],
        "removed": [],
        "changed": ["shop", "other"],
        "reconnected": ["shop"],
        "sections": ["prices"],
        "needs_restart": ["server.port"],
        "warnings": [],
    }
    assert stage.reloads.reasons == ["the admin API"]


async def test_a_file_that_cannot_be_used_is_refused_with_its_problems() -> None:
    async with Stage() as stage:
        stage.reloads.outcome = Unusable(("bots.yaml:1: odd", "bots.yaml:2: odder"))
        status, told, _ = await stage.ask("POST", "/api/reload", headers=bearer())
    assert (status, told["error"]["code"]) == (409, "unusable")
    assert told["error"]["message"].splitlines()[1:] == ["bots.yaml:1: odd", "bots.yaml:2: odder"]


async def test_who_may_only_read_may_not_reload() -> None:
    async with Stage() as stage:
        assert [
            (await stage.ask("POST", "/api/reload", headers=headers))[0] for headers in ({}, bearer("read"))
        ] == [401, 403]
        assert stage.reloads.reasons == []
