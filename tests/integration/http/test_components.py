"""Component types over HTTP: what there is, and loading it anew."""

from pathlib import Path
from typing import Any

import pytest

from bedplate.wiring.testing.clients import Clients

FILE = """
from bedplate.services.shared_component_cache import Component, Output

class Mine(Component):
    type_name = "{name}"
    category = "mine"
    outputs = (Output(name="out"),)

    async def build(self, inputs, context):
        return {{"out": 1}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "components"
    folder.mkdir()
    return folder


@pytest.fixture
def container_settings(container_settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    return container_settings | {"shared_component_cache": {"components_path": [str(folder)]}}


async def test_components_are_loaded_anew(clients: Clients, folder: Path) -> None:
    """SCC-2: by a superuser; who has the document of before gets the new one; failures are listed."""
    superuser, user = await clients.superuser(), await clients.logged_in("user")
    before = await user.get("/api/v1/all")
    (folder / "new.py").write_text(FILE.format(name="New"))
    (folder / "bad.py").write_text("import nowhere_to_be_found")
    assert (await user.post("/api/v1/components/reload")).status_code == 403
    reloaded = (await superuser.post("/api/v1/components/reload")).json()
    assert (reloaded["added"], reloaded["removed"]) == (["New"], [])
    assert reloaded["failures"][0]["origin"].endswith("bad.py")
    after = await user.get("/api/v1/all", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.headers["etag"]) == (200, reloaded["etag"])
    assert "New" in after.json()["mine"]
    report = (await superuser.get("/api/v1/components")).json()
    assert report["failures"] == reloaded["failures"]
    origins = {entry["name"]: entry["origin"] for entry in report["types"]}
    assert origins["ChatInput"] == "built in"
    assert origins["New"].endswith("new.py")
