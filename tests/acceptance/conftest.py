"""What the programs that these tests start are spared."""

import pytest


@pytest.fixture(autouse=True)
def only_plugins_that_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out plug-ins that vendors' libraries bring here, in runs of pytest too: users do not have them."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:opik -p no:langsmith_plugin -p no:valkey")
