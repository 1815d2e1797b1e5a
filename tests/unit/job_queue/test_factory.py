"""ALL-1, ALL-2: how the job queue is chosen and built."""

import pytest

from bedplate.services.errors import ConfigurationError
from bedplate.services.health import HealthStatus
from bedplate.services.job_queue import JobQueueService
from bedplate.services.job_queue.factory import build_job_queue
from bedplate.services.settings import SettingsService


async def test_queue_is_built_without_io(settings, telemetry, database):
    """ALL-1: the constructor does nothing; health says so."""
    queue = build_job_queue(settings, telemetry, database)
    assert isinstance(queue, JobQueueService)
    assert (await queue.health()).status is HealthStatus.DOWN
    await queue.stop()


def test_unknown_backend_is_named(tmp_path, telemetry, database):
    """ALL-2: the error names the setting and the choices."""
    settings = SettingsService(
        data_dir=tmp_path, secret_key="a-secret-key-of-the-tests-0123456789abcdef", job_queue={"backend": "redos"}
    )
    with pytest.raises(ConfigurationError, match="BEDPLATE_JOB_QUEUE__BACKEND to one of memory"):
        build_job_queue(settings, telemetry, database)
