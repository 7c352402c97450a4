"""docs/platforms/telegram.md: its bots are bots, and what it quotes is said."""

import re
from pathlib import Path

from ruamel.yaml import YAML

from adapters.telegram.config import Config
from adapters.telegram.wire import COMMANDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "platforms" / "telegram.md").read_text(encoding="utf-8")
BLOCKS = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
CODE = "".join(
    path.read_text(encoding="utf-8")
    for room in ("adapters/telegram", "runner/config")
    for path in sorted((ROOT / room).glob("*.py"))
)


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    _, _, text = PAGE.partition(f"## {heading}\n")
    text, _, _ = text.partition("\n## ")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_its_bots_are_bots() -> None:
    for block in BLOCKS:
        written = block["bots"]["support"]
        config = Config.model_validate({**written["platform_config"], "bot_token": "42:AAtoken"})
        assert config.needs_public_url == ("public_url" in block.get("server", {}))


def test_every_field_is_there_with_its_default_and_no_other() -> None:
    rows = {cells[0].strip("`"): cells[1].strip("`") for cells in table("platform_config")}
    assert set(rows) == set(Config.model_fields)
    for name, field in Config.model_fields.items():
        wanted = {"PydanticUndefined": "*required*", "None": "none", "True": "true"}
        assert rows[name] == wanted.get(str(field.default), str(field.default))


def test_what_it_quotes_is_said() -> None:
    quoted = [cells[0] for cells in table("What `botrunner check` tells")]
    quoted += [cells[1] for cells in table("What its state tells")]
    texts = [text for quote in quoted for text in re.findall(r"`([^`]+)`", quote)]
    pieces = {piece.strip(" :;.()") for text in texts for piece in text.split("…")}
    others = {"", "--online", "@support_bot (123456789", "Bad webhook", "no connection to api.telegram.org"}
    fixed = re.sub(r"\{[^{}]*\}", "", CODE)  # what is filled in stands in the page, too
    said = {piece: piece.replace("502", "").replace(" telegram ", "  ").strip() for piece in pieces - others}
    assert [piece for piece, words in said.items() if words not in fixed] == []


def test_the_menu_is_the_one_that_is_set() -> None:
    menu = next(cells[2] for cells in table("platform_config") if cells[0] == "`commands`")
    assert re.findall(r"`/(\w+)`", menu) == [command["command"] for command in COMMANDS]
