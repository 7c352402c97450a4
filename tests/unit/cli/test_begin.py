"""init and schema."""

import json
import stat

from jsonschema import Draft202012Validator

from runner.config.starter import starter_text
from runner.config.templates import template
from tests.unit.cli.desk import Desk


def test_init_writes_a_file_that_is_well(desk: Desk) -> None:
    done = desk.type("init")
    assert done.code == 0
    assert "  botrunner chat hello    talk to that bot here\n" in done.out
    assert desk.bots_yaml.read_text(encoding="utf-8") == starter_text()
    assert stat.S_IMODE(desk.bots_yaml.stat().st_mode) == 0o600
    assert desk.type("check").out == "bots.yaml: 1 bot, all well\n"


def test_init_leaves_a_file_alone(desk: Desk) -> None:
    desk.write("mine")
    done = desk.type("init")
    assert done.code == 1
    assert done.err == "error: bots.yaml is there already\nhint: --force writes over it\n"
    assert desk.bots_yaml.read_text(encoding="utf-8") == "mine"
    assert desk.type("init", "--force").code == 0
    assert desk.bots_yaml.read_text(encoding="utf-8") == starter_text()


def test_init_elsewhere_says_how_to_use_it(desk: Desk) -> None:
    for arguments in (("init", "--config", "a.yaml"), ("--config", "b.yaml", "init")):
        done = desk.type(*arguments)
        assert done.code == 0
        assert "botrunner run --config " in done.out
    assert {path.name for path in desk.folder.glob("*.yaml")} == {"a.yaml", "b.yaml"}


def test_init_of_a_template_says_what_to_fill_in(desk: Desk) -> None:
    done = desk.type("init", "--template", "sales")
    assert done.code == 0
    assert done.out.startswith("bots.yaml is written: Sales adviser. ")
    assert "\n  export ANTHROPIC_API_KEY=… SALES_TOKEN=…\n" in done.out
    assert "\n  botrunner chat sales    talk to that bot here\n" in done.out
    assert desk.bots_yaml.read_text(encoding="utf-8") == template("sales").text
    assert stat.S_IMODE(desk.bots_yaml.stat().st_mode) == 0o600


def test_init_of_no_template_writes_nothing(desk: Desk) -> None:
    done = desk.type("init", "-t", "casino")
    assert (done.code, desk.bots_yaml.exists()) == (1, False)
    assert done.err == ("error: there is no template 'casino'\nhint: Templates: community, sales, support.\n")


def test_init_where_nothing_can_be_written(desk: Desk) -> None:
    done = desk.type("init", "--config", "missing/bots.yaml")
    assert done.code == 1
    assert done.err == "error: missing/bots.yaml cannot be written: No such file or directory\n"


def test_schema_is_one(desk: Desk) -> None:
    done = desk.type("schema")
    schema = json.loads(done.out)
    Draft202012Validator.check_schema(schema)
    assert "bots" in schema["properties"]
