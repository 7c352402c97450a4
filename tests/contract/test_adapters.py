"""What holds for every adapter, each on its own fake platform over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Self

import pytest

from adapters.contract import (
    LEGAL_STATES,
    Capabilities,
    ConnectionState,
    Delivery,
    DeliveryState,
    DraftingAdapter,
    FetchingAdapter,
    NotFetched,
    RecallingAdapter,
)
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    FateUnknown,
    InboundMessage,
    NotSent,
    OutboundMessage,
    Sender,
    Sent,
    inbound_from_json,
    inbound_to_json,
)
from adapters.registry import capabilities, config_model, platforms
from tests.contract.adapter_worlds import WORLDS, World

ACCEPTED = Delivery(DeliveryState.ACCEPTED)


class Daemon:
    """The other side of the contract: takes messages, answers them, remembers states."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tries: list[InboundMessage] = []
        self.accepted: dict[str, InboundMessage] = {}
        self.results: list[object] = []
        self.states: list[ConnectionState] = []
        self.refusals: list[Delivery] = []
        self.reached = asyncio.Event()
        self.deaf = False
        self.drafts: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._answers = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._answers.__aenter__()
        self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()
        await self._answers.__aexit__(None, None, None)

    def begin(self) -> None:
        self.world.serve(self.deliver)
        self._task = self._answers.create_task(self.world.adapter.run(self.deliver, self.report))

    async def end(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self.world.adapter.close()

    def report(self, state: ConnectionState, why: str = "") -> None:
        assert self.world.secret not in why
        self.states.append(state)

    async def deliver(self, message: InboundMessage) -> Delivery:
        self.tries.append(message)
        self.reached.set()
        if self.deaf:
            await asyncio.Event().wait()
        if self.refusals:
            return self.refusals.pop(0)
        fresh = message.event_id not in self.accepted
        self.accepted[message.event_id] = message
        if fresh or self.world.adapter.capabilities.collects:
            self._answers.create_task(self._answer(message))
        return ACCEPTED if fresh else Delivery(DeliveryState.DUPLICATE)

    async def _answer(self, message: InboundMessage) -> None:
        answer = OutboundMessage(
            f"k-{message.event_id}", message.chat, f"re: {message.text}", message.event_id, message.details
        )
        for text in self.drafts:
            drafting: DraftingAdapter = self.world.adapter  # type: ignore[assignment]
            await drafting.draft(replace(answer, text=text))
        self.results.append(await self.world.adapter.send(answer))


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with WORLDS[request.param]() as world:
        yield world


@pytest.fixture
async def daemon(world: World) -> AsyncIterator[Daemon]:
    async with Daemon(world) as daemon:
        yield daemon


def test_each_platform_has_a_world() -> None:
    assert {name.partition("-")[0] for name in WORLDS} == set(platforms())


async def test_a_message_is_answered(world: World, daemon: Daemon) -> None:
    world.say("hello there")
    assert await world.heard(1) == ["re: hello there"]
    await world.acknowledged()
    (message,) = daemon.accepted.values()
    assert (message.text, message.sender.id, message.addressed, message.command) == (
        "hello there",
        "7",
        True,
        None,
    )
    assert not message.sender.is_bot
    assert inbound_from_json(inbound_to_json(message)) == message
    assert all(isinstance(result, Sent) for result in daemon.results)


async def test_a_command_is_known(world: World, daemon: Daemon) -> None:
    world.say("/Reset now")
    await world.heard(1)
    (message,) = daemon.accepted.values()
    assert message.command == "reset"


async def test_users_have_chats_of_their_own(world: World, daemon: Daemon) -> None:
    world.say("one", user=1)
    world.say("two", user=2)
    assert sorted(await world.heard(2)) == ["re: one", "re: two"]
    assert len({message.chat.place for message in daemon.accepted.values()}) == 2


@pytest.mark.parametrize("state", [DeliveryState.OVERLOADED, DeliveryState.LIMITED])
async def test_what_is_not_taken_comes_again(world: World, daemon: Daemon, state: DeliveryState) -> None:
    daemon.refusals = [Delivery(state, retry_after_s=0.01)] * 2
    world.say("please")
    assert await world.heard(1) == ["re: please"]
    assert [message.event_id for message in daemon.tries] == [daemon.tries[0].event_id] * 3


async def test_what_was_not_durable_at_a_crash_comes_again(world: World, daemon: Daemon) -> None:
    daemon.deaf = True
    world.say("do not lose me")
    await daemon.reached.wait()
    await daemon.end()
    daemon.deaf = False
    world.connect()
    daemon.begin()
    if world.adapter.capabilities.collects:
        world.say("do not lose me")  # a caller whose connection broke asks again by itself, with its own id
    assert await world.heard(1) == ["re: do not lose me"]
    assert daemon.tries[0].text == daemon.tries[-1].text


async def test_what_is_acknowledged_never_comes_again(world: World, daemon: Daemon) -> None:
    world.say("once")
    await world.heard(1)
    await world.acknowledged()
    await daemon.end()
    world.connect()
    daemon.begin()
    world.say("twice")
    await world.heard(2)
    texts = [message.text for message in daemon.tries]
    # Discord takes no acknowledgement: what its history brings again has the same id, and is known by it.
    assert (list(dict.fromkeys(texts)) if world.platform == "discord" else texts) == ["once", "twice"]
    assert len(await world.heard(2)) == 2


EXCLUSIVE = {"discord", "telegram"}
"""Worlds whose platform gives each message to one connection only."""


async def test_of_which_platforms_one_daemon_may_hold_a_connection(world: World) -> None:
    name = next(name for name, kind in WORLDS.items() if isinstance(world, kind))  # type: ignore[arg-type]
    assert world.adapter.capabilities.exclusive is (name in EXCLUSIVE)


async def test_an_adapter_that_never_ran_sends_what_another_took_in(world: World) -> None:
    if world.adapter.capabilities.collects:
        return  # nothing is sent: who took it in hands it out
    heard: asyncio.Queue[InboundMessage] = asyncio.Queue()

    async def deliver(message: InboundMessage) -> Delivery:
        heard.put_nowait(message)
        return ACCEPTED

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        world.serve(deliver)
        taker = world.adapter
        taking = tasks.create_task(taker.run(deliver, Daemon(world).report))
        world.say("hello")
        message = await heard.get()
        sender = world.connect()
        answer = OutboundMessage("k", message.chat, "re: hello", message.event_id, message.details)
        assert isinstance(await sender.send(answer), Sent)
        assert await world.heard(1) == ["re: hello"]
        taking.cancel()
    await taker.close()
    await sender.close()


async def test_its_states_are_legal_and_end_up(world: World, daemon: Daemon) -> None:
    world.say("hello")
    await world.heard(1)
    states = [ConnectionState.CONNECTING, *daemon.states]
    assert all(after in LEGAL_STATES[before] for before, after in pairwise(states))
    assert states[-1] is ConnectionState.UP


async def test_with_the_platform_away_a_send_has_a_fate(world: World) -> None:
    await world.stop()
    result = await world.adapter.send(OutboundMessage("k", ChatRef("7"), "anybody?", "e"))
    assert isinstance(result, Sent) if world.stubborn else isinstance(result, NotSent | FateUnknown)


async def test_with_the_platform_away_working_is_not_shown(world: World) -> None:
    await world.adapter.show_working(ChatRef("7"))
    await world.stop()
    await world.adapter.show_working(ChatRef("7"))


async def test_a_draft_gives_way_to_the_whole(world: World, daemon: Daemon) -> None:
    if not world.adapter.capabilities.drafts:
        return
    daemon.drafts = ("re: a long", "re: a long answ", "re: a long answ")
    world.say("a long answer")
    assert await world.heard(1) == ["re: a long answer"]
    await world.acknowledged()
    assert all(isinstance(result, Sent) for result in daemon.results)


async def test_with_the_platform_away_a_draft_is_not_shown(world: World) -> None:
    await world.stop()
    if world.adapter.capabilities.drafts:
        drafting: DraftingAdapter = world.adapter  # type: ignore[assignment]
        await drafting.draft(OutboundMessage("k", ChatRef("7"), "anybo", "e"))


async def test_with_the_platform_away_an_attachment_is_not_fetched(world: World) -> None:
    await world.stop()
    if world.adapter.capabilities.fetches:
        fetching: FetchingAdapter = world.adapter  # type: ignore[assignment]
        result = await fetching.fetch(Attachment(AttachmentKind.IMAGE, "f1"), 1000)
        assert isinstance(result, NotFetched)
        assert world.secret not in result.why


async def test_messages_of_chats_that_are_gone_may_be_recalled(world: World) -> None:
    if not world.adapter.capabilities.recalls:
        return
    recalling: RecallingAdapter = world.adapter  # type: ignore[assignment]
    gone = (ChatRef(""), ChatRef("no such chat"), ChatRef("7"), ChatRef("8", ChatKind.GROUP))
    recalling.recall([InboundMessage(f"e{chat.id}", chat, Sender("ada"), "hi") for chat in gone])
    async with Daemon(world):
        world.say("hello")
        assert await world.heard(1) == ["re: hello"]


async def test_it_says_who_it_is_and_hides_its_secret(world: World) -> None:
    assert (name := await world.adapter.who_am_i())
    assert world.secret not in f"{name} {world.adapter!r}"


async def test_its_capabilities_are_those_of_the_registry(world: World) -> None:
    assert isinstance(world.adapter.capabilities, Capabilities)
    can = world.adapter.capabilities
    # A config may choose how messages come in and answers go out; nothing else about a platform is its choice.
    known = capabilities(world.platform)
    assert replace(known, collects=can.collects, drafts=can.drafts, exclusive=can.exclusive) == can


async def test_its_config_is_closed(world: World) -> None:
    model = config_model(world.platform)
    assert (model.model_config["extra"], model.model_config["frozen"]) == ("forbid", True)
    assert "api_base_url" in model.model_fields
