"""The first link: once a state folder, or once for all daemons of a store; where that cannot be kept, never."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from runner.clock import UnixMs
from runner.errors import StoreError
from runner.ports.stores import Store
from runner.store.memory import MemoryStore
from runner.store.memory.fleet import MemoryFleet
from runner.testing.clock import START_MS, ManualClock
from runner.web.seals import unseal
from runner.web.welcome import FILE, first_link
from tests.unit.web.web_stage import SECRET

NOW = UnixMs(START_MS)
HOME = "https://bots.example"


async def welcome(store: Store, folder: Path) -> str | None:
    return await first_link(store, folder, SECRET, HOME, NOW)


async def test_a_state_folder_is_welcomed_once(tmp_path: Path) -> None:
    store = MemoryStore()
    link = await welcome(store, tmp_path)
    assert link is not None
    assert link.startswith(f"{HOME}/login?token=")
    [key] = parse_qs(urlsplit(link).query)["token"]
    assert unseal(SECRET, "link", key, NOW) is not None
    assert await welcome(store, tmp_path) is None
    (tmp_path / FILE).unlink()
    assert await welcome(store, tmp_path / "nowhere") is None


async def test_daemons_of_a_store_are_welcomed_once_together(tmp_path: Path) -> None:
    fleet = MemoryFleet(ManualClock())
    links = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        member = fleet.join(name)
        await member.open()
        links.append(await welcome(member, tmp_path / name))
    assert links[0] is not None
    assert links[1] is None
    assert await welcome(member, tmp_path / "one") is None


async def test_where_the_store_fails_nobody_is_welcomed(tmp_path: Path) -> None:
    def before(method: str) -> None:
        if method == "values.put_new":
            raise StoreError("the store cannot be reached")

    member = MemoryFleet(ManualClock(), before).join("one")
    await member.open()
    assert await welcome(member, tmp_path) is None
