"""The laws are about runs: a report takes longer than so small a run, and is drawn if asked for."""

import pytest


@pytest.fixture
def reported() -> None:
    """Asked for by tests that look at the report."""


@pytest.fixture(autouse=True)
def _unreported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "reported" not in request.fixturenames:
        monkeypatch.setattr("kdistill.pipeline.write_report", lambda _: None)
