"""The http bench runs: both servers answer, each siege is laid, and every figure of the tables is made."""

import json

import pytest

from bench.http.__main__ import main
from bench.http.clients import Failed, Load, own_burst
from bench.http.siege import ALONE
from bench.http.subjects import BARE, DAEMON, Server, served
from bench.http.tables import MEASURES, siege_table, throughput_table


@pytest.mark.e2e
@pytest.mark.slow
def test_each_server_is_measured_and_each_siege_is_laid(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--client", "own", "--connections", "4", "--json"])

    told = json.loads(capsys.readouterr().out)
    for name in (DAEMON.name, BARE.name):
        (figures,) = told[name]
        assert set(figures) == {measure.key for measure in MEASURES}
        assert min(figures.values()) > 0
    for name in (ALONE, "half-open", "1 MiB", "1 MiB, more"):
        (figures,) = told[name]
        assert figures["p99"] >= figures["p50"] > 0
    assert told["half-open"][0]["connections"] >= 20


@pytest.mark.e2e
@pytest.mark.slow
async def test_what_is_not_answered_is_no_figure() -> None:
    async with served(BARE, None) as server:
        nobody = Server(server.running, f"{server.url}/nobody")

        with pytest.RaisesGroup(pytest.RaisesExc(Failed, match="404")):
            await own_burst(nobody, Load(connections=1, users=1, seconds=60.0))


def test_the_ratio_is_to_the_bare_handler() -> None:
    ours, theirs = ({measure.key: value for measure in MEASURES} for value in (6.0, 2.0))

    table = throughput_table({DAEMON.name: ours, BARE.name: theirs})

    assert table.row_count == len(MEASURES)
    assert {*table.columns[3].cells} == {"3.00"}


def test_a_siege_is_compared_with_peace() -> None:
    peace = {"p50": 2.0, "p99": 4.0, "bodies_per_s": 0.0, "connections": 0.0}

    table = siege_table(
        {DAEMON.name: {"rate": 1.0}, ALONE: peace, "1 MiB": {**peace, "p50": 3.0, "p99": 8.0}}
    )

    assert list(table.columns[0].cells) == [ALONE, "1 MiB"]
    assert list(table.columns[2].cells) == ["1.00", "1.50"]
    assert list(table.columns[4].cells) == ["1.00", "2.00"]
