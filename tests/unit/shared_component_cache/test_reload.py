"""SCC-2: components change without a restart; what fails is listed, and harms no other."""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import (
    Component,
    ComponentContext,
    Output,
    ReloadTimeoutError,
    SharedComponentCacheService,
    service,
)
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.signals import Gate

FILE = """
from bedplate.services.shared_component_cache import Component, Output

class Mine(Component):
    type_name = "{name}"
    category = "mine"
    description = "{text}"
    outputs = (Output(name="out"),)

    async def build(self, inputs, context):
        return {{"out": 1}}
"""


class ByCode(Component):
    type_name = "ByCode"
    outputs = (Output(name="out"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        return {"out": 1}


def write(folder: Path, file: str, name: str, text: str = "text") -> None:
    (folder / file).write_text(FILE.format(name=name, text=text))


async def test_files_come_change_and_go(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-2: the digest follows; what was registered by code stays; who has a type goes on with it."""
    write(folder, "stays.py", "Stays")
    write(folder, "goes.py", "Goes")
    write(folder, "renamed.py", "Before")
    await components.start()
    components.register(ByCode)
    builtin = {name for name in components.names() if components.origin(name) == "built in"}
    old, etag = components.get("Stays"), components.document().etag
    write(folder, "comes.py", "Comes")
    write(folder, "renamed.py", "After")
    (folder / "goes.py").unlink()
    reloaded = await components.reload()
    assert (reloaded.added, reloaded.removed, reloaded.failures) == (("After", "Comes"), ("Before", "Goes"), ())
    assert reloaded.etag == components.document().etag != etag
    assert {"Stays", "After", "Comes", "ByCode", *builtin} == set(components.names())
    assert components.get("Stays") is not old
    assert old.type_name == "Stays"
    assert (await components.health()).status is HealthStatus.UP


async def test_an_edit_of_the_same_length_in_the_same_second(
    components: SharedComponentCacheService, folder: Path
) -> None:
    """SCC-2: is seen: no compiled code of the file before is used."""
    await components.start()
    for text in ("one", "two", "six"):
        write(folder, "a.py", "Edited", text)
        await components.reload()
        assert components.get("Edited").description == text
    assert not (folder / "__pycache__").exists()


async def test_what_fails_keeps_its_last_good_version(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-2: it is listed with its error; every other file is loaded; put right, it is loaded too."""
    write(folder, "a.py", "A", "good")
    write(folder, "b.py", "B", "old")
    await components.start()
    for broken in ("def", "import nowhere_to_be_found", "raise SystemExit(3)", "1 / 0", "\0"):
        (folder / "a.py").write_text(broken)
        write(folder, "b.py", "B", f"beside {len(broken)}")
        reloaded = await components.reload()
        (failure,) = reloaded.failures
        assert failure.origin.endswith("a.py")
        assert failure.error
        assert components.get("A").description == "good"
        assert components.get("B").description == f"beside {len(broken)}"
        assert (await components.health()).status is HealthStatus.DEGRADED
        assert sys.modules[components.get("A").__module__].__dict__["Mine"] is components.get("A")
    write(folder, "a.py", "A", "better")
    assert (await components.reload()).failures == ()
    assert components.get("A").description == "better"


async def test_a_folder_that_is_away_takes_nothing_along(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-2: such as one on a disk that is not mounted for a moment."""
    write(folder, "a.py", "A")
    await components.start()
    shutil.move(folder, folder.parent / "away")
    (failure,) = (await components.reload()).failures
    assert "is no folder" in failure.error
    assert components.get("A").type_name == "A"
    shutil.move(folder.parent / "away", folder)
    assert (await components.reload()).failures == ()


async def test_two_that_claim_one_name(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-2: the first one has it, the second one is listed, whichever was loaded before."""
    write(folder, "b.py", "Same", "b")
    await components.start()
    write(folder, "a.py", "Same", "a")
    (failure,) = (await components.reload()).failures
    assert failure.origin.endswith("b.py")
    assert components.get("Same").description == "a"


async def test_reloads_at_once_take_turns(components: SharedComponentCacheService, folder: Path) -> None:
    """SCC-2: and each sees what was there when it was asked for."""
    await components.start()
    write(folder, "a.py", "A")
    reports = await asyncio.gather(*(components.reload() for _ in range(5)))
    assert [report.added for report in reports] == [("A",), (), (), (), ()]


async def test_a_reload_that_takes_too_long_changes_nothing(
    settings: SettingsService, components: SharedComponentCacheService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCC-2: a file that waits for ever while it is imported costs an error, not the types that there are."""
    write(folder, "a.py", "A")
    await components.start()
    hung = asyncio.Event()

    async def find() -> None:
        await hung.wait()

    with monkeypatch.context() as patch:
        patch.setattr(components, "_find", find)
        patch.setattr(components, "_settings", components._settings.model_copy(update={"reload_timeout": 0.001}))
        with pytest.raises(ReloadTimeoutError, match=r"0\.001 seconds"):
            await components.reload()
    assert components.get("A").type_name == "A"
    write(folder, "b.py", "B")
    assert (await components.reload()).added == ("B",)


async def test_a_reload_cancelled_anywhere(components: SharedComponentCacheService, folder: Path) -> None:
    """ALL-1: what was loaded before is there, or what is there now."""
    await components.start()

    async def check(_cancelled: bool) -> None:
        assert {"A", "B"} >= {name for name in components.names() if components.origin(name).endswith(".py")}
        await components.reload()

    write(folder, "a.py", "A")
    write(folder, "b.py", "B")
    await cancel_at_every_await(components.reload, check)


async def test_a_stop_during_a_reload(
    components: SharedComponentCacheService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALL-1: nothing comes back after it."""
    write(folder, "a.py", "A")
    await components.start()
    entered, gate = asyncio.Event(), Gate()
    find = components._find

    async def slow() -> service.Found:
        entered.set()
        await gate.passes()
        return await find()

    monkeypatch.setattr(components, "_find", slow)
    reloading = asyncio.create_task(components.reload())
    await entered.wait()
    await components.stop()
    gate.open()
    with pytest.raises(UnavailableError):
        await reloading
    assert "A" not in components.names()
