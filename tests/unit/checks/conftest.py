"""An environment without settings, and a folder of the test's own."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.checks import Finding
from bedplate.services.settings import SettingsService

Examine = Callable[..., Awaitable[list[Finding]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.upper().startswith(("BEDPLATE_", "LANGFLOW_", "KUBERNETES_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def examine(folder: Path) -> Examine:
    """What the doctor finds with these settings."""

    async def found(**settings: Any) -> list[Finding]:
        container = ApplicationContainer(
            settings=Singleton(SettingsService, **{"data_dir": folder / "data"} | settings)
        )
        return await container.examine()

    return found
