"""Component types: registered by code, from folders and packages; served as one document."""

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.health import HealthStatus
from bedplate.services.shared_component_cache import (
    Component,
    ComponentContext,
    ComponentExistsError,
    Field,
    InvalidComponentError,
    Output,
    SharedComponentCacheService,
    UnknownComponentError,
    loading,
)

_FILE = """
from bedplate.services.shared_component_cache import Component, Output

class {name}(Component):
    type_name = "{name}"
    category = "mine"
    outputs = (Output(name="out"),)

    async def build(self, inputs, context):
        return {{"out": 1}}
"""


class Shout(Component):
    type_name = "Shout"
    category = "text"
    description = "Makes a text loud."
    fields = (Field(name="input_value", required=True, input_types=("Message",)), Field(name="api_key", secret=True))
    outputs = (Output(name="loud", method="shout"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        return {"loud": str(inputs["input_value"]).upper()}


class Silent(Component):
    type_name = "Silent"
    outputs = (Output(name="out"),)


async def test_registered_component_is_found_and_defined(components: SharedComponentCacheService) -> None:
    """SCC-1: definitions registered from code."""
    components.register(Shout)
    await components.start()
    assert components.get("Shout") is Shout
    node = json.loads(components.document().body)["text"]["Shout"]
    assert node["description"] == "Makes a text loud."
    assert node["template"]["input_value"]["required"] is True
    assert node["template"]["api_key"] | {"password": True, "load_from_db": True} == node["template"]["api_key"]
    assert node["outputs"][0]["name"] == "loud"
    assert node["base_classes"] == ["Message"]
    assert node["field_order"] == ["input_value", "api_key"]


async def test_document_is_made_once_and_its_digest_follows_the_content(
    components: SharedComponentCacheService,
) -> None:
    """SCC-1: one document with a content digest, serialised once, not per request."""
    await components.start()
    first = components.document()
    assert components.document() is first
    assert gzip.decompress(first.gzip) == first.body
    components.register(Shout)
    second = components.document()
    assert second.etag != first.etag
    components.register(Shout, replace=True)
    assert components.document().etag == second.etag


async def test_components_of_a_folder_are_loaded_and_gone_after_stop(
    components: SharedComponentCacheService, folder: Path
) -> None:
    """SCC-1: definitions from folders."""
    (folder / "one.py").write_text(_FILE.format(name="One"))
    (folder / "_hidden.py").write_text(_FILE.format(name="Hidden"))
    await components.start()
    assert components.get("One").category == "mine"
    assert "Hidden" not in components.names()
    await components.stop()
    assert "One" not in components.names()
    await components.start()
    assert "One" in components.names()


async def test_file_that_fails_to_import_harms_no_other(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-1: a component that fails to import is listed with its error and harms no other."""
    (folder / "bad.py").write_text("import nowhere_to_be_found")
    (folder / "good.py").write_text(_FILE.format(name="Good"))
    (folder / "same.py").write_text(_FILE.format(name="Good"))
    await components.start()
    assert "Good" in components.names()
    bad, same = components.failures
    assert bad.origin.endswith("bad.py")
    assert "nowhere_to_be_found" in bad.error
    assert "'Good' is defined already" in same.error
    health = await components.health()
    assert health.status is HealthStatus.DEGRADED
    assert health.reason is not None
    assert "bad.py" in health.reason


async def test_missing_folder_is_a_listed_failure(components: SharedComponentCacheService, folder: Path) -> None:
    shutil.rmtree(folder)
    await components.start()
    assert "is no folder" in components.failures[0].error


async def test_entry_points_bring_components(
    components: SharedComponentCacheService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCC-1: definitions from entry points."""

    class Point:
        name, value = "shout", f"{__name__}:Shout"

        def load(self) -> type[Component]:
            return Shout

    class Broken:
        name, value = "broken", "gone:Gone"

        def load(self) -> type[Component]:
            raise ImportError("no module named gone")

    monkeypatch.setattr(loading, "entry_points", lambda group: [Point(), Broken()] if group.startswith("bed") else [])
    await components.start()
    assert components.get("Shout") is Shout
    assert "gone" in components.failures[0].error


def test_unknown_component_is_named_with_the_nearest(components: SharedComponentCacheService) -> None:
    components.register(Shout)
    with pytest.raises(UnknownComponentError, match=r"'Shuot'.*use 'Shout'"):
        components.get("Shuot")


def test_bad_registrations_are_refused(components: SharedComponentCacheService) -> None:
    components.register(Shout)
    with pytest.raises(ComponentExistsError, match="replace=True"):
        components.register(Shout)
    with pytest.raises(InvalidComponentError, match="does not override build"):
        components.register(Silent)
    with pytest.raises(InvalidComponentError, match="no subclass"):
        components.register(int)  # type: ignore[type-var]  # on purpose
    nameless = type("Nameless", (Shout,), {"type_name": "no identifier"})
    with pytest.raises(InvalidComponentError, match="identifier"):
        components.register(nameless)
    twins = type("Twins", (Shout,), {"type_name": "Twins", "fields": (Field(name="a"), Field(name="a"))})
    with pytest.raises(InvalidComponentError, match="two fields"):
        components.register(twins)
