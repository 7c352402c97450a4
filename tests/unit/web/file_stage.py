"""The stage around a real bots.yaml: what the API writes is read again and in force, as in the daemon."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runner.config.edit_bots import BotsFile
from runner.config.loader import load
from runner.config.secret_store import SecretStore
from runner.config.settings import Loaded
from tests.unit.web.web_stage import Stage, bearer

FILE = """\
# the bots of the shop
server: {port: 0}
defaults: {llm_provider: echo, llm_model: echo}
workspaces: {tools: {}}
bots:
  shop:   # sells
    name: Shop
    platform: custom
    system_prompt: You sell.   # and no more
    spending_cap_cents: 100
"""
ENVIRON = {"ANTHROPIC_API_KEY": "sk-ant-of-the-daemon", "OPENAI_API_KEY": "sk-of-the-daemon"}


class FileStage:
    """A stage, its file and its store of secrets."""

    def __init__(self, folder: Path, text: str = FILE) -> None:
        self.path = folder / "bots.yaml"
        self.path.write_text(text, encoding="utf-8")
        self.secrets = SecretStore(folder / "state", ENVIRON)
        self.stage = Stage(self.bots(), definitions=BotsFile(self.path, ENVIRON, self.secrets, self.apply))

    def bots(self) -> Any:
        found = load(self.path, ENVIRON, self.secrets)
        assert isinstance(found, Loaded), str(found)
        return found.settings.bots

    async def apply(self) -> Sequence[str]:
        self.stage.put_in_force(self.bots())
        return ()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    async def ask(self, method: str, path: str, body: Any = None, scope: Any = "admin") -> tuple[int, Any]:
        """One call with a good token: the status and the JSON."""
        status, said, _ = await self.stage.ask(method, path, headers=bearer(scope), json=body)
        return status, said


@asynccontextmanager
async def staged(folder: Path, text: str = FILE) -> Any:
    """The stage, while it stands."""
    made = FileStage(folder, text)
    async with made.stage:
        yield made
