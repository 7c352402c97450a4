"""bots.yaml changes while its bots work: only what changed is touched, and nothing is lost by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.observer import ConnectionChanged
from runner.ports.reloads import Reloaded, Unusable
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from tests.faults.reload_house import ADA, EVE, House, house

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

HUNG = Say("At last.", latency_s=5.0)
LONG_S = 6.0


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        for token in (ADA, EVE):
            await polled(made, token, 1)
        yield made


async def until(holds: Callable[[], object]) -> None:
    clock = SystemClock()
    while not holds():
        await clock.sleep(0.005)


async def polled(home: House, token: str, times: int) -> None:
    """Wait until this bot has begun to listen so often."""
    await until(lambda: home.telegram.account(token).calls["getUpdates"] >= times)


async def answered(home: House, token: str, count: int) -> list[str]:
    return [sent.text for sent in await home.telegram.account(token).replies(count)]


async def test_another_prompt_holds_from_the_next_message_and_no_connection_is_touched(home: House) -> None:
    calls = {token: dict(home.telegram.account(token).calls) for token in (ADA, EVE)}
    assert await home.change("You are Ada.", "You are Ada, and brief.") == Reloaded(changed=("ada",))
    assert {token: dict(home.telegram.account(token).calls) for token in (ADA, EVE)} == calls, "one long poll"
    home.telegram.account(ADA).say("hello")
    await answered(home, ADA, 1)
    assert home.prompts()[-1].startswith("You are Ada, and brief.")


async def test_another_token_is_another_connection_and_nobody_else_notices(home: House) -> None:
    fresh = home.telegram.account("43:another-token")
    before = dict(home.telegram.account(ADA).calls)
    assert await home.change(EVE, "43:another-token") == Reloaded(changed=("eve",), reconnected=("eve",))
    await polled(home, "43:another-token", 1)
    fresh.say("hello")
    await fresh.replies(1)
    assert dict(home.telegram.account(ADA).calls) == before
    await until(lambda: home.tasks() == [f"connection {name}" for name in
                                         ("ada/telegram", "eve/telegram", "shop/custom")])  # fmt: skip


async def test_toggled_five_times_quickly_leaves_one_connection_and_loses_nothing(home: House) -> None:
    eve = home.telegram.account(EVE)
    for number in range(5):
        eve.say(f"message {number}", user_id=100 + number)
        assert await home.change("enabled: true", "enabled: false") == Reloaded(removed=("eve",))
        assert await home.change("enabled: false", "enabled: true") == Reloaded(added=("eve",))
    eve.say("the last one", user_id=200)
    await answered(home, EVE, 6)
    await until(lambda: not [name for name in home.tasks() if name.startswith("leaving")])
    assert home.tasks() == ["connection ada/telegram", "connection eve/telegram", "connection shop/custom"]
    assert len(eve.sent) == len(home.model.bill) == 6, "each is asked, paid and answered once"
    assert home.telegram.account(ADA).calls["getMe"] == 1
    states = [event.state for event in home.observer.of(ConnectionChanged) if event.bot == "eve"]
    assert "degraded" not in states, "the platform never saw two of it"


async def test_a_turn_that_runs_ends_under_its_definition_and_what_waits_behind_it_waits_for_the_bot(
    home: House,
) -> None:
    eve = home.telegram.account(EVE)
    home.model.script(HUNG)
    eve.say("one", user_id=7)
    await home.asked(1)
    eve.say("two", user_id=7)
    await eve.drained()
    assert await home.change("enabled: true", "enabled: false") == Reloaded(removed=("eve",))
    home.time.advance(LONG_S)
    assert await answered(home, EVE, 1) == ["At last."]
    await until(lambda: home.tasks() == ["connection ada/telegram", "connection shop/custom"])
    assert (await home.daemon.store.figures()).waiting == {"eve": 1}
    home.edit("You are Eve.", "You are Eve again.")
    assert await home.change("enabled: false", "enabled: true") == Reloaded(added=("eve",))
    await answered(home, EVE, 2)
    assert [prompt.splitlines()[0] for prompt in home.prompts()] == ["You are Eve.", "You are Eve again."]


async def test_a_turn_that_runs_keeps_its_provider_when_that_is_taken_out(home: House) -> None:
    home.model.script(HUNG)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(home.ask("one", "ada"))
        await home.asked(1)
        text = home.file.read_text()
        home.edit("providers: {house:", "providers: {other:")
        assert await home.change("llm_provider: house", "llm_provider: other") == Reloaded(
            changed=("ada", "eve", "shop"), sections=("providers.house", "providers.other")
        )
        second = await home.ask("two", "eve")
        home.time.advance(LONG_S)
        assert (await first)[1]["response"] == "At last."
    assert second[0] == 200
    home.file.write_text(text)
    assert isinstance(await home.daemon.reloader.reload("a test"), Reloaded)


async def test_another_key_and_address_hold_for_the_next_call(home: House) -> None:
    other = ModelServer(key="another-key")
    await other.start()
    await home.ask("one")
    home.edit(home.model.url, other.url)
    assert await home.change("house-key", "another-key") == Reloaded(sections=("providers.house",))
    status, told = await home.ask("two")
    assert (status, told["stop_reason"]) == (200, "answered")
    assert (len(home.model.requests), len(other.requests)) == (1, 1)
    await other.stop()


async def test_another_price_holds_for_the_next_call(home: House) -> None:
    _, cheap = await home.ask("one", "ada")
    assert await home.change('input: "1", output: "2"', 'input: "100", output: "200"') == Reloaded(
        sections=("prices",)
    )
    _, dear = await home.ask("one", "eve")
    assert float(dear["cost_usd"]) > 50 * float(cheap["cost_usd"])


async def test_a_raised_cap_wakes_who_waits_for_money(home: House) -> None:
    home.edit('output: "2"', 'output: "300"')  # 9 cents are held for a call
    assert await home.change("You sell.", "You sell.\n    spending_cap_cents: 15") == Reloaded(
        changed=("shop",), sections=("prices",)
    )
    home.model.script(HUNG)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(home.ask("one", "ada"))
        await home.asked(1)
        second = tasks.create_task(home.ask("two", "eve"))
        await until(lambda: home.daemon.meter._room.crowded(["bot:shop"]))
        assert await home.change("spending_cap_cents: 15", "spending_cap_cents: 50") == Reloaded(
            changed=("shop",)
        )
        assert (await second)[1]["stop_reason"] == "answered"
        assert not first.done()
        home.time.advance(LONG_S)


async def test_a_faulty_file_changes_nothing_until_it_is_mended(home: House) -> None:
    outcome = await home.change("You sell.", "You sell.\n    llm_modle: x")
    assert isinstance(outcome, Unusable)
    assert "did you mean llm_model?" in outcome.problems[0]
    assert home.daemon.reloader.fault == outcome.problems
    assert (await home.ask("one"))[0] == 200
    assert await home.change("\n    llm_modle: x", "") == Reloaded()
    assert home.daemon.reloader.state.fault is None


async def test_a_shorter_window_holds_for_the_next_message(home: House) -> None:
    for number in range(4):
        await home.ask(f"message {number}", "ada")
    assert len(home.model.requests[-1].body["messages"]) == 8
    await home.change("You sell.", "You sell.\n    conversation_max_messages: 2\n    context: sliding")
    await home.ask("the last one", "ada")
    assert len(home.model.requests[-1].body["messages"]) <= 3
