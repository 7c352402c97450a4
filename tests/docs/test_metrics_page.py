"""docs/metrics.md and the dashboard name metrics and labels that there are, and the page names all of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runner.telemetry.health import LAG_LIMIT_MS
from runner.telemetry.metric_names import PROCESS, SPECS, told_names
from runner.telemetry.tally import MOST_MODELS, MOST_SERIES
from runner.telemetry.traces import __file__ as traces_file
from runner.web.api.health_models import HealthShown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
BOARD: Any = json.loads((ROOT / "docs" / "grafana" / "botrunner.json").read_text(encoding="utf-8"))
EVERY = {**SPECS, **PROCESS}
LABELS = {told: set(spec.labels) for name, spec in EVERY.items() for told in told_names(name, spec)}
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds, or that a histogram has."""
NAME = re.compile(r"\b(?:botrunner|process)_[a-z0-9_]+")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def alert_rules() -> list[dict[str, Any]]:
    [rules] = [found for text in blocks("yaml") if "groups" in (found := YAML(typ="safe").load(text))]
    return [rule for group in rules["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    found = {rule["alert"]: rule["expr"] for rule in alert_rules()}
    found |= {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }
    found |= {one["name"]: one["definition"] for one in BOARD["templating"]["list"] if "definition" in one}
    return found | {one["name"]: one["expr"] for one in BOARD["annotations"]["list"]}


QUERIES = queries()


def test_the_table_is_what_is_told() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if re.match(r"\| `(botrunner|process)_", line)
    ]
    wanted = [
        [
            f"`{name}_total`" if spec.kind == "counter" else f"`{name}`",
            spec.kind,
            ", ".join(f"`{label}`" for label in spec.labels),
            spec.meaning,
        ]
        for name, spec in EVERY.items()
    ]
    assert rows == wanted


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_query_names_what_there_is(query: str) -> None:
    names = set(NAME.findall(query))
    assert names <= set(LABELS)
    assert names or "up{" in query
    there = set.union(SCRAPED, *(LABELS[name] for name in names))
    for name, matchers in re.findall(r"((?:botrunner|process)_[a-z0-9_]+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= LABELS[name] | SCRAPED
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        assert {label.strip() for label in grouped.split(",")} <= there
    counted = {name for name in names if name.endswith(("_total", "_bucket"))}
    for name in counted:
        assert re.search(rf"(rate|increase)\({name}(\{{[^}}]*\}})?\[", query), f"{name} only grows"


def test_a_legend_names_labels_that_are_left() -> None:
    for panel in panels():
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
            names = NAME.findall(target["expr"])
            left = (
                {label.strip() for label in grouped[0].split(",")} if grouped else LABELS[names[0]] | SCRAPED
            )
            assert used <= left, panel["title"]


def test_an_alert_names_labels_that_are_there() -> None:
    for rule in alert_rules():
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        [names] = [NAME.findall(rule["expr"])]
        assert used <= set().union(*(LABELS[name] for name in names)), rule["alert"]


def test_the_dashboard_shows_what_is_asked_of_it() -> None:
    shown = set(NAME.findall(json.dumps(BOARD)))
    assert shown >= {
        "botrunner_spend_usd_total",
        "botrunner_limit_used_ratio",
        "botrunner_turns_total",
        "botrunner_turn_seconds_bucket",
        "botrunner_connection",
        "botrunner_oldest_waiting_seconds",
        "botrunner_loop_lag_seconds",
        "botrunner_tokens_total",
        "botrunner_sends_unknown",
    }


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_example_of_health_is_one() -> None:
    [example] = blocks("json")
    assert HealthShown.model_validate_json(example).loop.limit_ms == LAG_LIMIT_MS


def test_figures_in_the_text_are_those_of_the_code() -> None:
    assert f"more than {MOST_MODELS}\nproviders or models, and more than {MOST_SERIES} series" in PAGE


def test_attributes_of_spans_are_made() -> None:
    code = Path(traces_file).read_text(encoding="utf-8")
    _, _, text = PAGE.partition("## Traces")
    named = re.findall(r"`((?:gen_ai|botrunner|error)\.[a-z_.]+)`", text)
    assert len(named) > 10
    for name in named:
        assert f'"{name}"' in code, name
