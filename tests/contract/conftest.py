"""The REST contract, where the reference documents are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    folder = os.environ.get("BEDPLATE_REFERENCE_DIR")
    if not folder:
        pytest.skip("BEDPLATE_REFERENCE_DIR is not set")
    document: dict[str, Any] = json.loads((Path(folder) / "contract" / "openapi.json").read_text())
    return document
