"""Whose token it is, and that its commands are registered: what both modes do first.

Rules: a check says what a person has to change, in one sentence, and where. Commands are added or changed one by
one, so that commands of the same application that are not ours stay.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.contract import ConnectionState, Timer
from adapters.discord import wire
from adapters.discord.client import Client, Refused, SlowDown
from adapters.discord.config import Config
from adapters.discord.health import Health
from adapters.errors import RefusedConnection, Unreachable
from adapters.http import Backoff

_CONTENT_ALLOWED = 1 << 18 | 1 << 19
"""Flags of an application: it may read all messages, in many servers or in up to a hundred."""
_PORTAL = "https://discord.com/developers/applications"


@dataclass(frozen=True, slots=True)
class Application:
    """What Discord knows of the bot's application.

    Attributes:
        reads_all: whether the Message Content intent is allowed.
        posts_to: where interactions are posted; None: they come by the gateway.
    """

    id: str
    key: str
    reads_all: bool
    posts_to: str | None


async def who(client: Client) -> wire.Me:
    """Whose token it is. Raises RefusedConnection or Unreachable."""
    try:
        raw = await client.get("/users/@me")
        return wire.Me(str(raw["id"]), str(raw.get("username") or ""))
    except (AttributeError, KeyError, TypeError, Refused) as error:
        raise Unreachable(f"Discord does not say whose token it is: {error}") from None


async def application(client: Client) -> Application:
    """The bot's application. Raises RefusedConnection or Unreachable."""
    try:
        raw = await client.get("/applications/@me")
        return Application(
            str(raw["id"]),
            str(raw.get("verify_key") or ""),
            bool(int(raw.get("flags") or 0) & _CONTENT_ALLOWED),
            raw.get("interactions_endpoint_url") or None,
        )
    except (AttributeError, KeyError, TypeError, ValueError, Refused) as error:
        raise Unreachable(f"Discord does not describe the application: {error}") from None


def faults(config: Config, app: Application, address: str | None) -> list[str]:
    """What in the portal does not fit to the config, a sentence each. `address`: where we take interactions."""
    found = []
    if config.application_id not in (None, app.id):
        found.append(f"application_id is {config.application_id}, but the token is of application {app.id}")
    if config.public_key is not None and app.key and config.public_key.lower() != app.key.lower():
        found.append(
            "public_key is not the one of the token's application (portal, page General Information)"
        )
    if config.mode == "gateway" and config.message_content and not app.reads_all:
        found.append(
            f"the Message Content intent is off: turn it on at {_PORTAL}/{app.id}/bot, "
            "or set `message_content: false`"
        )
    if config.mode == "interactions" and (app.posts_to is None or address not in (None, app.posts_to)):
        there = "empty" if app.posts_to is None else app.posts_to
        found.append(
            f"the Interactions Endpoint URL is {there}: "
            f"enter {address or 'this bot’s webhook address'} at {_PORTAL}/{app.id}/information"
        )
    return found


async def login(client: Client, timer: Timer, backoff: Backoff, health: Health) -> wire.Me:
    """Whose token it is, asked until Discord says so. Raises RefusedConnection, and only that."""
    while True:
        try:
            return await who(client)
        except RefusedConnection as error:
            health.tell(ConnectionState.REFUSED, str(error))
            raise
        except SlowDown as slow:
            health.tell(ConnectionState.DEGRADED, str(slow))
            await timer.sleep(max(backoff.next_s(), slow.retry_after_s or 0.0))
        except Unreachable as error:
            health.tell(ConnectionState.DOWN, str(error))
            await timer.sleep(backoff.next_s())


async def described(client: Client, config: Config, address: str | None = None) -> str:
    """`name (id)`. Raises RefusedConnection, also where the portal's settings do not fit, or Unreachable."""
    me, app = await who(client), await application(client)
    found = faults(config, app, address)
    if found:
        raise RefusedConnection("; ".join(found))
    elsewhere = config.mode == "gateway" and app.posts_to is not None
    return f"{me.name} ({me.id})" + (
        ", whose commands are posted elsewhere and not heard here" if elsewhere else ""
    )


async def register(client: Client, config: Config) -> str | None:
    """Register the commands that are not there yet, or not as they should be; returns what went wrong."""
    try:
        number = config.application_id or (await application(client)).id
        path = f"/applications/{number}/commands"
        there = {one["name"]: one for one in await client.get(path)}
        for command in wire.COMMANDS:
            if not wire.same_command(there.get(str(command["name"]), {}), command):
                await client.post(path, command)
    except (AttributeError, KeyError, TypeError, Refused, RefusedConnection, Unreachable) as error:
        return f"the commands could not be registered: {error}"
    return None
