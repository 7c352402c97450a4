"""The real daemon on WhatsApp: the challenge, signed webhooks, kill -9 in between, each answered once and in order."""

from pathlib import Path

import aiohttp
import pytest

from adapters.testing.whatsapp_server import WhatsAppServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

CONFIG = """
server: {{port: {port}}}
bots:
  shop:
    platform: whatsapp
    platform_config:
      phone_number_id: 106540352242922
      access_token: EAAe2e
      verify_token: verify-e2e
      app_secret: secret-e2e
      api_base_url: "{meta}"
    llm_provider: echo
    llm_model: echo
    system_prompt: Repeat.
"""


async def test_what_was_said_while_it_was_dead_is_answered_once_and_in_order(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with WhatsAppServer() as meta, aiohttp.ClientSession() as session:
        number = meta.number("106540352242922", "EAAe2e", "secret-e2e", "verify-e2e")
        with Daemon(tmp_path, CONFIG.format(port=unused_tcp_port, meta=meta.url)) as daemon:
            await daemon.start()
            await daemon.ready()
            hook = f"{daemon.url}/api/bots/webhook/whatsapp/shop"
            await meta.subscribe(number, hook)
            number.copies = 2
            number.say("hello")
            assert len(await number.replies(1)) == 1
            await number.drained()
            async with session.post(hook, data=b"{}", headers={"X-Hub-Signature-256": "sha256=0"}) as forged:
                assert forged.status == 401
            daemon.kill()
            await daemon.gone()
            for text in ("one", "two", "three"):
                number.say(text)
            number.say("elsewhere", user="491702222222")
            await daemon.start()
            await daemon.ready()
            await number.replies(5)
            await number.drained()
            await daemon.stop()
    said = [message.text for message in number.sent if message.to == "491700000001"]
    assert len(number.sent) == 5
    words = ("hello", "one", "two", "three")
    assert [[word for word in words if word in text] for text in said] == [[word] for word in words]
    assert {typing for _, typing in number.reads} <= {True}
