"""How the task service comes by its backend, and what it never does with data."""

import ast
import inspect
import uuid
from pathlib import Path

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.database import DatabaseService
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskService, service
from bedplate.services.task.factory import build_task
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.deps import get_task_service


async def test_the_setting_chooses_the_backend(
    settings: SettingsService, telemetry: TelemetryService, database: DatabaseService
) -> None:
    """TASK-2: a flag that is set and ignored was a defect of the layer before this one."""
    assert build_task(settings, telemetry, database).backend == "anyio"
    wrong = SettingsService(profile="test", task={"backend": "rabbit"})
    with pytest.raises(ConfigurationError, match=r"'rabbit'.*anyio"):
        build_task(wrong, telemetry, database)


async def test_the_service_can_be_had(container: ApplicationContainer) -> None:
    """TASK-1: the getter of the layer before this one raised a TypeError in every release for two years."""
    tasks = get_task_service()
    assert isinstance(tasks, TaskService)
    assert tasks is container.task()


async def test_ids_are_no_addresses_of_objects(container: ApplicationContainer) -> None:
    """TASK-1: they were those of the functions' results, and used again when these were gone."""
    run = await container.task().submit(None, "bedplate.maintenance.expired", delay=3600)
    assert isinstance(run.id, uuid.UUID)
    assert run.id.version == 7


def test_no_serialiser_that_runs_code_is_near() -> None:
    """TASK-1: neither pickle nor its kin is imported by any module of the service."""
    imported: set[str] = set()
    for file in Path(inspect.getfile(service)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert "msgspec" in imported
    assert not imported & {"pickle", "dill", "marshal", "shelve", "cloudpickle"}
