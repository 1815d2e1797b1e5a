"""The REST contract, where the reference documents are."""

from typing import Any

import pytest
from tests.contract.reference import document


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    if not document()["paths"]:
        pytest.skip("BEDPLATE_REFERENCE_DIR is not set")
    return document()
