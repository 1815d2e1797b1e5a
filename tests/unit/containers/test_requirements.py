"""What the cluster profile lacks is named before anything starts, all of it at once (SET-3)."""

from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.containers.requirements import IncompleteError
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"
GIVEN: dict[str, Any] = {
    "secret_key": SECRET_KEY,
    "database": {"url": "postgresql://user:a-password@127.0.0.1:1/none"},
    "redis": {"url": "redis://:a-password@127.0.0.1:1/0"},
    "storage": {"s3_bucket": "a-bucket"},
}
VARIABLES = {
    "secret_key": "BEDPLATE_SECRET_KEY",
    "database": "BEDPLATE_DATABASE__URL",
    "redis": "BEDPLATE_REDIS__URL",
    "storage": "BEDPLATE_STORAGE__S3_BUCKET",
}


def container(folder: Path, **values: Any) -> ApplicationContainer:
    return ApplicationContainer(settings=Singleton(SettingsService, data_dir=folder / "data", **values))


async def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    """SET-3: with who needs it and how to set it; nothing was started or made."""
    with pytest.raises(IncompleteError) as caught:
        await container(tmp_path, profile="cluster").init_resources()
    assert isinstance(caught.value, ConfigurationError)
    assert {one.setting for one in caught.value.missing} == set(VARIABLES.values())
    for text in (*VARIABLES.values(), "postgres of database", "redis of job_queue", "openssl rand -hex 32"):
        assert text in str(caught.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("lacking", VARIABLES)
async def test_each_is_missed(tmp_path: Path, lacking: str) -> None:
    """SET-3: what is given is not shown."""
    given = {name: value for name, value in GIVEN.items() if name != lacking}
    with pytest.raises(IncompleteError) as caught:
        await container(tmp_path, profile="cluster", **given).init_resources()
    assert [one.setting for one in caught.value.missing] == [VARIABLES[lacking]]
    assert "a-password" not in str(caught.value)


async def test_only_what_is_started_is_looked_at(tmp_path: Path) -> None:
    """SET-3: a job that migrates the database needs its URL alone; a backend that is chosen instead needs none."""
    made = container(tmp_path, profile="cluster")
    with pytest.raises(IncompleteError) as caught:
        await made.init_resources(only=[made.database])
    assert [one.setting for one in caught.value.missing] == ["BEDPLATE_DATABASE__URL"]
    other = container(tmp_path, profile="cluster", database={"backend": "sqlite"})
    async with other.running(other.database):
        pass


async def test_a_url_of_the_service_itself_is_enough(tmp_path: Path) -> None:
    """SET-3"""
    given = {name: value for name, value in GIVEN.items() if name != "redis"}
    values = SettingsService(profile="cluster").values
    own = {
        name: {"redis_url": GIVEN["redis"]["url"]}
        for name in type(values).model_fields
        if hasattr(getattr(values, name), "redis_url")
    }
    assert own
    own["task"] = {"broker_url": GIVEN["redis"]["url"]}
    made = container(tmp_path, profile="cluster", **given, **own)
    assert not [one for one in await made.examine() if one.check == "settings.missing"]


async def test_elsewhere_backends_speak_for_themselves(tmp_path: Path) -> None:
    """SET-3: the profile is what asks for all of it."""
    made = container(tmp_path, database={"backend": "postgres"})
    with pytest.raises(Exception, match="needs a URL"):
        await made.init_resources()
    await made.shutdown_resources()
