"""What holds for all tests."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.steady_loop import SteadyLoop

settings.register_profile(  # two busy cores say nothing about an example
    "botrunner", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("botrunner")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], SteadyLoop]]:
    """Run all tests on a loop whose time limits count no stall of the machine."""
    return {"steady": SteadyLoop}


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Count money that is not fully tested as an error of the run, in its closing line too."""
    cov: Any = config.pluginmanager.get_plugin("_cov")
    total = getattr(cov, "cov_total", None)
    if total is not None and total < (needed := cov.options.cov_fail_under):
        gap = pytest.CollectReport(
            nodeid="runner/money",
            outcome="failed",
            longrepr=f"{total:.1f} % of lines and branches are tested, {needed:.0f} % are needed",
            result=None,
        )
        terminalreporter.stats.setdefault("error", []).append(gap)
