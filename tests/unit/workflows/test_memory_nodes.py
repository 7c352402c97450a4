"""memory_store: whose it is, doing it twice, its bounds; over the store that ships."""

import pytest

from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.workflows.doers.memory import LONGEST_KEY, LONGEST_VALUE, MemoryDoer
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json
from tests.unit.workflows.doing_world import doing


@pytest.fixture
async def doer() -> MemoryDoer:
    store = MemoryStore()
    await store.open()
    return MemoryDoer(store.runs, ManualClock())


async def put(
    doer: MemoryDoer, value: Json, scope: str = "user", user: str = "ada", key: str = "k"
) -> object:
    data: dict[str, Json] = {"op": "set", "scope": scope, "key": key, "value": value}
    return (await doer.do(doing("memory_store", data, user=user))).result


async def got(doer: MemoryDoer, scope: str = "user", user: str = "ada", key: str = "k") -> Json:
    data: dict[str, Json] = {"op": "get", "scope": scope, "key": key, "outputVariable": "v"}
    result = (await doer.do(doing("memory_store", data, user=user))).result
    assert isinstance(result, Done)
    return result.output


@pytest.mark.parametrize("value", ["grüße", 0, False, {"a": [1, None]}, [], 1.5])
async def test_what_is_set_is_got(doer: MemoryDoer, value: Json) -> None:
    assert await put(doer, value) == Done(value)
    assert await got(doer) == value


async def test_what_is_not_there_is_null(doer: MemoryDoer) -> None:
    assert await got(doer) is None


async def test_setting_and_deleting_twice_is_once(doer: MemoryDoer) -> None:
    await put(doer, 1)
    await put(doer, 1)
    assert await got(doer) == 1
    for _ in range(2):
        done = await doer.do(doing("memory_store", {"op": "delete", "key": "k"}))
        assert done.result == Done(None)
        assert await got(doer) is None


async def test_users_have_their_own_and_the_bot_has_one(doer: MemoryDoer) -> None:
    await put(doer, "hers")
    await put(doer, "his", user="bob")
    await put(doer, "all", scope="bot", user="bob")
    assert (await got(doer), await got(doer, user="bob")) == ("hers", "his")
    assert (await got(doer, "bot"), await got(doer, "bot", user="eve")) == ("all", "all")
    assert await got(doer, user="eve") is None


async def test_a_key_may_hold_variables(doer: MemoryDoer) -> None:
    await put(doer, 7, key="order {{message}}")
    assert await got(doer, key="order hello") == 7


@pytest.mark.parametrize("key", ["{{nothing}}", "{{nothing}} ", "k" * (LONGEST_KEY + 1)])
async def test_a_key_is_not_empty_and_not_long(doer: MemoryDoer, key: str) -> None:
    assert isinstance(await put(doer, 1, key=key), Failed)


async def test_a_value_is_bounded(doer: MemoryDoer) -> None:
    data: dict[str, Json] = {"op": "set", "key": "k", "value": "{{long}}"}
    variables: dict[str, Json] = {"long": "x" * LONGEST_VALUE}
    assert isinstance((await doer.do(doing("memory_store", data, variables=variables))).result, Failed)
    assert await got(doer) is None
