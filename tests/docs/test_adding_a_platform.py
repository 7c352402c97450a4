"""docs/adding-a-platform.md is followed to the letter, in a copy: its platform works."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-platform.md"
BLOCK = re.compile(r"^```(\w+) title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TRY_IT = """
import asyncio, json, sys
from aiohttp import web
from adapters.contract import Delivery, DeliveryState
from adapters.http import Shared
from adapters.messages import ChatRef, OutboundMessage
from adapters.registry import build, config_model, platforms

waiting, acked, said, heard, states = [{"id": 1, "can": "a", "text": "hello"}, {"id": 2, "can": "a"}], [], [], [], []
done = asyncio.Event()

class Timer:
    def monotonic(self): return asyncio.get_running_loop().time()
    async def sleep(self, seconds): await asyncio.sleep(0)

async def following(request):
    if request.headers["Authorization"] != "Bearer good":
        return web.Response(status=401)
    return web.json_response(waiting[0]) if waiting else web.Response(status=204)

async def ack(request):
    acked.append(int(request.match_info["id"]))
    waiting.pop(0)
    if not waiting:
        done.set()
    return web.Response()

async def say(request):
    said.append(await request.json())
    return web.Response()

async def deliver(message):
    assert message.event_id not in {str(number) for number in acked}, "acknowledged before it was delivered"
    heard.append(message.text)
    return Delivery(DeliveryState.ACCEPTED)

async def main():
    app = web.Application()
    app.add_routes([web.get("/next", following), web.post("/ack/{id}", ack), web.post("/say", say)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://127.0.0.1:%d" % runner.addresses[0][1]
    shared = Shared(Timer(), lambda: "id", chance=lambda: 0.5)
    good, bad = (
        build("tin", config_model("tin")(token=token, api_base_url=url), shared) for token in ("good", "bad")
    )
    running = asyncio.ensure_future(good.run(deliver, lambda state, why="": states.append(state)))
    await done.wait()
    running.cancel()
    refused = ""
    try:
        await bad.run(deliver, lambda state, why="": None)
    except Exception as error:
        refused = type(error).__name__
    sent = await good.send(OutboundMessage("k", ChatRef("a"), "hi"))
    await shared.close()
    await runner.cleanup()
    gone = await good.send(OutboundMessage("k", ChatRef("a"), "hi"))
    await shared.close()
    print(json.dumps({
        "platforms": platforms(), "heard": heard, "acked": acked, "said": said, "refused": refused,
        "sent": type(sent).__name__, "gone": type(gone).__name__, "up": "up" in states,
    }))

asyncio.run(main())
"""


def _follow(page: str, tree: Path) -> None:
    for kind, title, text in BLOCK.findall(page):
        file = tree / title
        if kind == "diff":
            before = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] == " ")
            after = "".join(line[1:] for line in text.splitlines(keepends=True))
            old = file.read_text(encoding="utf-8")
            assert old.count(before) == 1, f"{title} has not the line that the page changes"
            file.write_text(old.replace(before, after), encoding="utf-8")
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")


def test_the_page_leads_to_a_platform_that_works(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "adapters", tmp_path / "adapters", ignore=shutil.ignore_patterns("__pycache__"))
    _follow(PAGE.read_text(encoding="utf-8"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", TRY_IT], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "tin" in told.pop("platforms")
    assert told == {
        "heard": ["hello"],
        "acked": [1, 2],
        "said": [{"can": "a", "text": "hi"}],
        "refused": "RefusedConnection",
        "sent": "Sent",
        "gone": "NotSent",
        "up": True,
    }


def test_its_code_is_as_clean_as_ours(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "adapters", tmp_path / "adapters", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    _follow(PAGE.read_text(encoding="utf-8"), tmp_path)
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "adapters/tin"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
