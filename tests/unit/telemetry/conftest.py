"""Fixtures of the telemetry tests."""

import logging
from collections.abc import Iterator

import pytest

from bedplate.services import logs
from bedplate.services.telemetry import log_router

WATCHED = ("", "bedplate", *log_router.SERVER_LOGGERS)


def state_of_logging() -> object:
    """Everything global that a telemetry service could leave behind."""
    loggers = [logging.getLogger(name) for name in WATCHED]
    return (
        [(logger.name, list(logger.handlers), logger.propagate, logger.level) for logger in loggers[1:]],
        loggers[0].level,
        list(logs._maskers),
        list(log_router._routers),
        dict(log_router._before),
    )


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = state_of_logging()
    yield
    assert state_of_logging() == before
