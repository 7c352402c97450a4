"""bots.yaml as the admin API changes it: written, then read again and put in force like any other change of it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.app.parts import Site
from runner.config.edit_bots import BotsFile
from runner.config.secret_store import SecretStore
from runner.ports.definitions import Definitions
from runner.ports.reloads import Reloads, Unusable


def definitions_of(site: Site, reloads: Reloads) -> Definitions:
    """The bots of the site's file."""

    async def apply() -> Sequence[str]:
        done = await reloads.reload("the admin API")
        return done.problems if isinstance(done, Unusable) else ()

    return BotsFile(site.config, site.environ, SecretStore(site.settings.state_dir, site.environ), apply)
