"""The names that an app imports: one function and one alias for each service that the container has."""

import inspect
import typing
from typing import Any

import pytest
from dependency_injector import providers

from bedplate import wiring
from bedplate.containers import ApplicationContainer
from bedplate.services.schema import ServiceType
from bedplate.wiring import aliases, deps

BUILT = sorted(ServiceType)

SHORT_NAMES = {
    "get_db_service": "database",
    "get_queue_service": "job_queue",
}


@pytest.mark.parametrize("name", BUILT)
async def test_each_service_has_a_function_that_answers_from_the_current_container(
    container: ApplicationContainer, name: str
) -> None:
    function = getattr(deps, f"get_{name}_service")
    service = function()
    assert service is container.get(name)
    assert f"get_{name}_service" in deps.__all__
    assert type(service).type == name
    assert isinstance(service, typing.get_type_hints(function)["return"])


@pytest.mark.parametrize(("short", "name"), SHORT_NAMES.items())
async def test_short_names_answer_the_same(container: ApplicationContainer, short: str, name: str) -> None:
    assert getattr(deps, short)() is container.get(name)
    assert short in deps.__all__


async def test_an_override_is_what_the_functions_answer(container: ApplicationContainer) -> None:
    fake = object()
    with container.database.override(providers.Object(fake)):
        assert deps.get_db_service() is fake


def marked(alias: Any) -> str:
    (marker,) = typing.get_args(alias)[1:]
    provider: str = marker.provider
    return provider


def test_each_service_has_one_alias_and_each_alias_a_provider() -> None:
    named = {name: marked(getattr(aliases, name)) for name in aliases.__all__}
    assert set(named.values()) <= set(ApplicationContainer.providers)
    assert set(BUILT) <= set(named.values())
    assert len(set(named.values())) == len(named)


async def test_each_alias_has_the_type_of_what_the_container_gives(container: ApplicationContainer) -> None:
    for name in aliases.__all__:
        alias: Any = getattr(aliases, name)
        type_ = typing.get_args(alias)[0]
        if not getattr(type_, "_is_protocol", False):
            assert isinstance(container.get(marked(alias)), type_), name


def test_the_aliases_of_services_can_be_imported_from_wiring() -> None:
    for name in aliases.__all__:
        if marked(getattr(aliases, name)) in set(ServiceType):
            assert getattr(wiring, name) is getattr(aliases, name)
            assert name in wiring.__all__


def test_every_function_of_deps_is_exported() -> None:
    functions = {name for name, value in vars(deps).items() if inspect.isfunction(value) and name.startswith("get_")}
    assert functions == set(deps.__all__)
