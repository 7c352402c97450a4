"""One daemon of a fleet's load round: all of a real one but HTTP and the platform.

    python -m bench.load.fleet_daemon PLAN

Rules: bots.yaml, store, inbox, lanes, meter, model, outbox and its part in the fleet are those of `botrunner run`; its
producers put messages into its inbox as an adapter does, and replies go to an adapter that takes them and nothing more.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvloop

from adapters.contract import DeliveryState
from adapters.messages import ChatKind, ChatRef, InboundMessage, OutboundMessage, Sender, SendResult, Sent
from adapters.testing.fake import FakeAdapter
from bench.load.fleet_plan import QUESTION, Plan, plan_given, produce, say, told
from runner.app.parts import Daemon, Site
from runner.app.running import SWITCH_S, settings_of
from runner.app.working import working
from runner.clock import SystemClock
from runner.ports.observer import Event, Fault
from runner.telemetry.logs import Cut

COME_AGAIN_S = 0.05


class Sink(FakeAdapter):
    """Takes what is sent."""

    async def send(self, message: OutboundMessage) -> SendResult:
        return Sent("")


class Told:
    """Tells of faults; anything else costs nothing here."""

    def note(self, event: Event) -> None:
        if isinstance(event, Fault):
            print(event, file=sys.stderr)


async def main(plan: Plan) -> None:
    file = Path(plan.config)
    settings, _ = settings_of(file, os.environ)
    site = Site(file, os.environ, settings, SystemClock(), Told(), Cut())
    async with working(site, connect=True) as daemon:
        for live in daemon.roster.live():
            assert isinstance(live.adapters, dict)
            live.adapters["custom"] = Sink()
        say("ready")
        await told("go")
        await produce(plan, lambda bot, conversation, event: _write(daemon, bot, conversation, event))
        say("fed")
        await told("stop")


async def _write(daemon: Daemon, bot: str, conversation: str, event: str) -> None:
    chat = ChatRef(conversation, ChatKind.DIRECT)
    message = InboundMessage(event, chat, Sender(conversation), QUESTION, live=False)
    while (  # noqa: ASYNC110 - as a platform comes again
        await daemon.inbox.deliver(bot, "custom", message)
    ).state is DeliveryState.OVERLOADED:
        await asyncio.sleep(COME_AGAIN_S)


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    uvloop.run(main(plan_given()))
