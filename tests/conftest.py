"""What holds for all tests."""

from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("botrunner", deadline=None)  # two busy cores say nothing about an example
settings.load_profile("botrunner")


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
