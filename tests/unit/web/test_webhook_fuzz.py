"""Whatever is posted to a webhook, signed or not: nothing breaks, and nothing unsigned is heard."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import registry
from adapters.contract import Adapter, Delivery
from adapters.http import Shared
from adapters.messages import InboundMessage
from adapters.signatures import sha256_hex
from adapters.slack import wire as slack
from adapters.telegram import wire as telegram
from runner.bots import Channel
from runner.clock import SystemClock
from runner.ports.observer import Fault
from runner.testing.scenes import a_bot
from tests.unit.web.web_stage import Stage

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
NOWHERE = "http://127.0.0.1:9/"
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "custom": {"secret": "s3cret", "answer_timeout_s": 0.01},
    "discord": {"bot_token": "MTIz.abc.def", "public_key": PUBLIC, "mode": "interactions"},
    "slack": {"bot_token": "xoxb-1-a", "signing_secret": "s3cret"},
    "telegram": {"bot_token": "1:abc", "mode": "webhook", "webhook_secret": "s3cret"},
    "whatsapp": {"phone_number_id": "1", "access_token": "t", "verify_token": "v", "app_secret": "s3cret"},
}
WORDS = (
    "type id event event_id team_id channel user text ts message update_id chat from date entry changes value messages "
    "statuses field object metadata phone_number_id contacts profile name wa_id token data options member challenge "
    "user_id channel_id message_id url_verification event_callback message_changed whatsapp_business_account 1 2 3"
)


def signed(platform: str, body: bytes, now_s: int) -> dict[str, str]:
    """The headers that the platform itself would send."""
    stamp = str(now_s)
    match platform:
        case "custom":
            return {"Authorization": "Bearer s3cret"}
        case "discord":
            return {
                "X-Signature-Ed25519": KEY.sign(stamp.encode() + body).hex(),
                "X-Signature-Timestamp": stamp,
            }
        case "slack":
            told = sha256_hex("s3cret", f"v0:{stamp}:".encode() + body)
            return {"X-Slack-Signature": f"v0={told}", "X-Slack-Request-Timestamp": stamp}
        case "telegram":
            return {"X-Telegram-Bot-Api-Secret-Token": "s3cret"}
        case _:
            return {"X-Hub-Signature-256": f"sha256={sha256_hex('s3cret', body)}"}


@dataclass
class Hooked(Stage):
    """Bots of all platforms that take posts; nobody answers."""

    takes_posts: tuple[str, ...] = tuple(CONFIGS)

    def adapter_of(self, channel: Channel, shared: Shared) -> Adapter:
        """The real one, which knows already who it is: nobody else is asked."""
        made: Any = registry.build(channel.platform, channel.config, shared, channel.platform)
        if channel.platform == "telegram":
            made._door.me = telegram.Me(1, "shop_bot")
        if channel.platform == "slack":
            made._intake.me = slack.Me("T1", "U1")
        return cast("Adapter", made)

    async def deliver(self, bot: str, channel: str, message: InboundMessage) -> Delivery:
        self.told.append((bot, channel, message))
        return self.fate


def bots() -> Iterator[Any]:
    for platform, config in CONFIGS.items():
        made = registry.config_model(platform).model_validate({**config, "api_base_url": NOWHERE})
        yield a_bot(platform, channels=(Channel(platform, platform, made),))


keys = st.sampled_from(WORDS.split()) | st.text(max_size=3)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | keys
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
bodies = st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode())
asked = st.tuples(
    st.sampled_from(sorted(CONFIGS)), st.sampled_from(["POST", "GET", "PUT"]), bodies, st.booleans()
)


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(asked, min_size=20, max_size=20))
async def test_nothing_that_is_posted_breaks_it(requests: list[tuple[str, str, bytes, bool]]) -> None:
    async with Hooked(tuple(bots())) as stage:
        for platform, method, body, good in requests:
            before = len(stage.told)
            headers = signed(platform, body, SystemClock().now_ms() // 1000) if good else {}
            status, _, _ = await stage.ask(
                method, f"/api/bots/webhook/{platform}/{platform}", headers=headers, data=body
            )
            assert status < 500 or (platform, status) == ("custom", 504), (platform, body)
            assert good or len(stage.told) == before
        assert not stage.observer.of(Fault)


@pytest.mark.parametrize("platform", sorted(CONFIGS))
async def test_what_is_signed_is_let_in_and_what_is_not_is_not(platform: str) -> None:
    async with Hooked(tuple(bots())) as stage:
        path = f"/api/bots/webhook/{platform}/{platform}"
        body = b'{"text": "hi", "user_id": "u", "channel_id": "c"}'
        good = signed(platform, body, SystemClock().now_ms() // 1000)
        forged = {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in good.items()}
        assert (await stage.ask("POST", path, headers=forged, data=body))[0] in {401, 403}
        assert (await stage.ask("POST", path, headers=good, data=body))[0] not in {401, 403}
