"""The templates are compiled once for all tests here, not once for each server."""

import pytest

from runner.web import pages


@pytest.fixture(scope="session")
def made() -> object:
    return pages._make()


@pytest.fixture(autouse=True)
def _compiled_once(monkeypatch: pytest.MonkeyPatch, made: object) -> None:
    monkeypatch.setattr(pages, "_make", lambda: made)
