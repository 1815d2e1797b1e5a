"""Settings are plain objects to those who read them, and models to everybody else."""

from typing import Any

import pytest
from pydantic import ValidationError

from bedplate.services.settings import Settings, SettingsService
from bedplate.services.settings.groups.base import ServiceSettings
from bedplate.services.settings.groups.cache import CacheSettings
from bedplate.services.settings.keys import dotted, fields_of

KEY = "0123456789-abcdefghij-ABCDEFGHIJ-!"


def test_every_setting_is_that_of_the_model() -> None:
    """SET-1: value by value, and as a whole."""
    settings = SettingsService(cache={"ttl": 5}, secret_key=KEY)
    values: Any = settings.values
    for key in fields_of(Settings):
        model = values._model
        for name in key:
            model = getattr(model, name)
        assert settings.value(dotted(key)) == model
    assert values == SettingsService(cache={"ttl": 5}, secret_key=KEY).values
    assert values == values._model
    assert values != SettingsService(cache={"ttl": 6}, secret_key=KEY).values
    assert hash(values.cache) == hash(CacheSettings(ttl=5))
    assert values.cache == CacheSettings(ttl=5)
    assert isinstance(values, Settings)
    assert isinstance(values.cache, CacheSettings)
    assert isinstance(values.cache, ServiceSettings)
    assert not isinstance(values.server, ServiceSettings)
    assert values.cache.model_dump()["ttl"] == 5
    assert values.cache.model_copy(update={"ttl": 7}).ttl == 7
    assert KEY not in f"{values!r} {values} {values.model_dump_json()}"


def test_no_setting_can_be_changed() -> None:
    """SET-1: neither set, nor deleted, nor added."""
    values: Any = SettingsService().values
    for change in (
        lambda: setattr(values.cache, "ttl", 1),
        lambda: setattr(values, "cache", CacheSettings()),
        lambda: setattr(values.cache, "invented", 1),
        lambda: delattr(values.cache, "ttl"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            change()
    assert values.cache.ttl == 3600


def test_what_is_no_setting_is_no_attribute() -> None:
    with pytest.raises(AttributeError):
        _ = SettingsService().values.cache.invented  # type: ignore[attr-defined]
