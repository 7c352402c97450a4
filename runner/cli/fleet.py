"""Whether bots.yaml is a fleet's, and the caps and secrets that its daemons share, as commands have them.

Rule: only the store's address is made out of the file, so that a secret can be set which the file still lacks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import OperatorError, StoreRefused

if TYPE_CHECKING:
    from runner.bots import Bot
    from runner.config.secret_tokens import Kept, NoNewKey, Rotation
    from runner.config.settings import Settings
    from runner.config.shared_secrets import SharedSecrets, TokenSecrets

T = TypeVar("T")


def fleet_of(config: Path) -> str | None:
    """The address of the store that the daemons of this file share; None: it has one daemon, or there is no file.

    Raises:
        OperatorError: nobody can tell, for the address has a reference that leads nowhere, or a fault.
    """
    from runner.config.loader import sources_of
    from runner.config.secrets import read_text_file
    from runner.config.store_address import fleet_address

    try:
        text = read_text_file(config)
    except (OSError, ValueError):
        return None
    try:
        return fleet_address(text, str(config), sources_of(config, os.environ))
    except StoreRefused as refused:
        raise OperatorError(f"{config}: {refused}", "It says where the secrets are kept.") from None


async def put_cap(url: str, settings: Settings, bot: Bot, cents: int | None) -> None:
    """Set a cap for all daemons, which look for it by themselves. `bot`: as bots.yaml says.

    Raises:
        OperatorError: the bot cannot be held to a cap.
        StoreError: the store cannot be reached.
    """
    from runner.app.shared_caps import put_word
    from runner.clock import SystemClock
    from runner.config.hand_caps import wrong_with
    from runner.store.catalogue import open_values

    if wrong := wrong_with(settings, bot, cents):
        raise OperatorError(f"the cap of {bot.id} {wrong}")
    clock = SystemClock()
    async with open_values(url, clock) as shared:
        await put_word(shared.values, bot.id, cents, bot.cap, shared.now_ms())


class FleetSecrets:
    """The secrets of a fleet, as `SecretStore` has those of a state folder; each call connects, and lets go again.

    All methods raise SecretsUnreadable, and StoreError where the store cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def names(self) -> list[str]:
        """The names, in order."""
        return [entry.name for entry in self.entries()]

    def entries(self) -> list[Kept]:
        """All that are kept, by name."""
        return self._asked(lambda secrets: secrets.entries())

    def at_hand(self) -> TokenSecrets:
        """All of them, to be opened one by one."""
        from runner.config.shared_secrets import TokenSecrets

        return TokenSecrets(self._asked(lambda secrets: secrets.tokens()), os.environ)

    def set(self, name: str, text: str) -> None:
        """Keep one. Raises ValueError for what cannot be kept."""
        self._asked(lambda secrets: secrets.set(name, text), begin=True)

    def remove(self, name: str) -> bool:
        """Forget one; False where there was none."""
        return self._asked(lambda secrets: secrets.remove(name))

    def rotate(self) -> Rotation | NoNewKey:
        """Encrypt all with the first key."""
        return self._asked(lambda secrets: secrets.rotate())

    def _asked(self, work: Callable[[SharedSecrets], Coroutine[Any, Any, T]], *, begin: bool = False) -> T:
        from runner.config.stored_secrets import asked

        return asked(self._url, os.environ, work, begin=begin)
