"""A tool server behind an address, with its habits: its faults are told in words, and it comes back."""

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runner.bots import Secret
from runner.ports.observer import ToolServerChanged
from runner.testing.tool_web import ToolWeb
from tests.unit.tool_servers.tool_stage import Stage, an_address, having, staged

MAYBE = "it may or may not have taken effect"


async def reconnected(stage: Stage, count: int) -> ToolServerChanged:
    """Let the pause before the next try pass; the last of so many changes."""
    await stage.clock.asleep(2)
    stage.clock.advance(1)
    return (await stage.changes(count))[-1]


async def test_its_tools_are_there_and_answer() -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url, headers={"Authorization": Secret("Bearer hush-hush")}))
        async with staged(bot) as stage:
            await stage.changes(1)
            result = await stage.run(bot, "echo", '{"text": "it is hush-hush"}')
    assert (result.ok, result.text) == (True, "it is ***")
    assert {headers["authorization"] for headers in web.seen} == {"Bearer hush-hush"}
    assert {headers["accept-encoding"] for headers in web.seen} == {"identity"}


@pytest.mark.parametrize(
    ("habit", "text"),
    [
        ("huge", "an answer of more than 4194304 bytes"),
        ("odd", "Unexpected content type: text/html; charset=utf-8"),
        ("broken", "Failed to parse JSON response"),
        ("error", "Server returned an error response"),
    ],
)
async def test_an_answer_that_is_none_costs_the_call_only(habit: str, text: str) -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            (up,) = await stage.changes(1)
            web.habit = habit
            result = await stage.run(bot, "echo")
            web.habit = ""
            again = await stage.run(bot, "echo", '{"text": "fine"}')
            assert stage.observer.of(ToolServerChanged) == [up]
    assert not result.ok
    assert text in result.text
    assert again.text == "fine"


@pytest.mark.parametrize(
    ("habit", "why"),
    [
        ("compressed", "it could not be spoken to (DecodingError)"),
        ("locked", "it does not let this bot in (HTTP 403)"),
    ],
)
async def test_one_that_is_not_to_be_spoken_to_is_off(habit: str, why: str) -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            await stage.changes(1)
            web.habit = habit
            result = await stage.run(bot, "echo")
            _, down = await stage.changes(2)
            up = await reconnected(stage, 3)
    assert result.text == f"The tool server went away during the call; {MAYBE}."
    assert (down.state, down.why, up.state) == ("down", why, "up")


async def test_a_call_that_is_not_answered_ends_in_time() -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            await stage.changes(1)
            web.habit = "silent"
            result = await stage.run(bot, "echo", timeout_s=0.01)
    assert result.text == "The tool did not answer within 0.01 seconds. It may or may not have taken effect."


async def test_one_that_was_started_again_is_found_again() -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            await stage.changes(1)
            web.forget()
            lost = await stage.run(bot, "echo")
            await stage.clock.asleep(2)
            stage.clock.advance(1)  # the tools are read again, in vain
            _, down = await stage.changes(2)
            up = await reconnected(stage, 3)
            found = await stage.run(bot, "echo", '{"text": "fine"}')
    assert not lost.ok
    assert (down.state, up.state, found.text) == ("down", "up", "fine")


async def test_it_says_that_it_has_other_tools() -> None:
    async with ToolWeb() as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            await stage.changes(1)
            await web.listened.wait()
            await web.learn()
            await stage.clock.asleep(2)
            stage.clock.advance(1)
            _, more = await stage.changes(2)
    assert (more.state, more.tools) == ("up", 2)


def certified(folder: Path) -> Path:
    """A key and a certificate of this machine, in one file, which nobody has a reason to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tools of a test")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2120, 1, 1, tzinfo=UTC)
    )
    signed = built.add_extension(host, critical=False).sign(key, hashes.SHA256())
    file = folder / "tools.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + signed.public_bytes(pem))
    return file


async def test_only_a_certificate_that_is_trusted_is_spoken_to(tmp_path: Path) -> None:
    file = certified(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(file)
    async with ToolWeb(own) as web:
        bot = having(an_address(web.url))
        async with staged(bot) as stage:
            (down,) = await stage.changes(1)
        async with staged(bot, tls=ssl.create_default_context(cafile=file)) as stage:
            (up,) = await stage.changes(1)
            result = await stage.run(bot, "echo", '{"text": "fine"}')
    assert (down.state, down.why) == ("down", "it could not be reached")
    assert (up.state, result.text) == ("up", "fine")


async def test_one_that_is_not_there_is_told_without_its_address() -> None:
    async with ToolWeb() as web:
        url = web.url
    bot = having(an_address(f"{url}?key=hush-hush"))
    async with staged(bot) as stage:
        (down,) = await stage.changes(1)
        result = await stage.run(bot, "echo")
    assert (down.state, down.why) == ("down", "it could not be reached")
    assert result.text == "The tool server shop cannot be used now: it could not be reached."


async def test_a_good_bye_that_is_not_answered_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.tool_servers.sdk.CLOSE_S", 0.01)
    async with ToolWeb() as web:
        async with staged(having(an_address(web.url))) as stage:
            await stage.changes(1)
            web.habit = "clinging"
        assert not web.over
