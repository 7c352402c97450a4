"""bots.yaml as the admin API changes it: written, then read again and put in force like any other change of it.

On a fleet it is not written, and only caps are changed: `fleet_file`.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.app.fleet_file import FleetFile
from runner.app.parts import Daemon
from runner.config.edit_bots import BotsFile
from runner.config.secret_store import SecretStore
from runner.ports.definitions import Definitions
from runner.ports.reloads import Unusable


def definitions_of(daemon: Daemon) -> Definitions:
    """The bots of the daemon's file."""
    site, reloader = daemon.site, daemon.reloader

    async def apply() -> Sequence[str]:
        done = await reloader.reload("the admin API")
        return done.problems if isinstance(done, Unusable) else ()

    file = BotsFile(site.config, site.environ, SecretStore(site.settings.state_dir, site.environ), apply)
    return file if daemon.caps is None else FleetFile(file, daemon.caps, daemon.in_force, reloader)
