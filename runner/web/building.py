"""All that the server answers, put together from the parts it is given."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runner.dispatch.limits import OwnRates
from runner.web import page
from runner.web.api.batches import Batches
from runner.web.api.bots import Bots
from runner.web.api.handoffs import Handoffs
from runner.web.api.health import HealthCalls
from runner.web.api.money import MoneyCalls
from runner.web.api.privacy import Privacy
from runner.web.api.reloading import Reloading
from runner.web.api.reports import Reports
from runner.web.api.setup import Setup
from runner.web.api.showing import Showing
from runner.web.api.status import Status
from runner.web.api.talking import Talking
from runner.web.api.workflows import Workflows
from runner.web.calls import AnyCall, routes_of
from runner.web.dashboard_pages.events import Events
from runner.web.dashboard_pages.routes import PATHS, Dashboard
from runner.web.dashboard_pages.troubles import troubles
from runner.web.entry import Doorkeeper
from runner.web.login import Login
from runner.web.pages import Pages
from runner.web.parts import WebParts
from runner.web.reference import Reference
from runner.web.sessions import SESSIONS, Sessions


def build(app: web.Application, parts: WebParts) -> None:
    """Add the admin API, the pages, and who is signed in."""
    sessions = Sessions(parts.jwt_secret, parts.clock, parts.store.values, parts.public_url)
    door = Doorkeeper(parts.jwt_secret, sessions, parts.clock, parts.store.rates or OwnRates(parts.clock))
    pages = Pages(parts.clock)
    app[SESSIONS] = sessions
    calls = calls_of(parts, door)
    app.add_routes(routes_of([*calls, *Reference(parts, calls).calls()], door))
    dashboard = Dashboard(parts, sessions, door, pages)
    app.add_routes([*page.routes(parts, dashboard.overview), *dashboard.routes(), *pages.routes()])
    app.add_routes(Events(parts.changes, sessions).routes())
    app.add_routes(Login(parts.jwt_secret, sessions, door, pages).routes())
    app.middlewares.insert(0, troubles(sessions, pages, PATHS))  # around what makes refusals

    async def end_events(_: web.Application) -> None:
        parts.changes.close()

    app.on_shutdown.append(end_events)


def calls_of(parts: WebParts, door: Doorkeeper) -> Sequence[AnyCall]:
    """Every call of the admin API."""
    showing = Showing(parts)
    bots = Bots(parts, showing)
    return [
        *bots.calls(),
        *Setup(parts.templates, bots.make).calls(),
        *Talking(parts, door).calls(),
        *Status(parts, showing).calls(),
        *Reports(parts).calls(),
        *Privacy(parts).calls(),
        *MoneyCalls(parts).calls(),
        *Batches(parts).calls(),
        *Handoffs(parts).calls(),
        *Workflows(parts).calls(),
        *HealthCalls(parts, door).calls(),
        *Reloading(parts).calls(),
    ]
