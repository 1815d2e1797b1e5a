"""The current container: initialize_services, teardown_services, the ASGI lifespan, deps.py."""

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.containers.errors import NotWiredError
from bedplate.wiring import deps
from bedplate.wiring.lifespan import current_container


async def test_the_plugin_gives_a_running_container(container: ApplicationContainer) -> None:
    assert container.started
    assert current_container() is container
    assert deps.get_db_service() is container.database()


def test_without_a_container_the_error_says_what_to_call() -> None:
    with pytest.raises(NotWiredError, match="initialize_services"):
        deps.get_settings_service()
