"""All secrets of a file are known, wherever they stand."""

from pathlib import Path

from runner.config.hidden import secrets_of
from runner.config.loader import load
from runner.config.secret_store import SecretStore
from runner.config.settings import Loaded

FILE = """
server: {jwt_secret: hush-1}
providers:
  house: {kind: openai, base_url: "http://127.0.0.1:1/v1", api_key: hush-2}
prices: {m: {input: "1", output: "2"}}
defaults: {llm_provider: house, llm_model: m, system_prompt: x}
bots:
  friend:
    platform: telegram
    platform_config: {bot_token: "42:hush-3"}
    llm_api_key: hush-4
    tools:
      - name: look
        description: looks
        method: GET
        url: "http://127.0.0.1:1/"
        headers: {X-Key: hush-5}
  shop: {platform: custom, platform_config: {secret: hush-6}, enabled: false}
"""


def test_every_secret_is_found_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "bots.yaml"
    file.write_text(FILE)
    loaded = load(file, {}, SecretStore(tmp_path, {}))
    assert isinstance(loaded, Loaded), loaded
    assert secrets_of(loaded.settings) == {"42:hush-3", *(f"hush-{n}" for n in (1, 2, 4, 5, 6))}
