"""The plan: what a start will do, read from the graph before anything of it runs."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from dependency_injector import providers

from bedplate.containers import Provide, ServiceContainer, Singleton, inject
from bedplate.containers.errors import CycleError, UnknownServiceError
from bedplate.containers.report import State
from bedplate.services.backends import Backend, service_factory
from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService


class Thing:
    def __init__(self, *needs: object) -> None:
        self.needs = needs


def forbidden(*_args: object) -> Thing:
    raise AssertionError("a provider was called")


def planned(container: Any) -> list[str]:
    return [record.name for record in container.report.services if record.state is State.PLANNED]


def left_out(container: Any) -> list[str]:
    return [record.name for record in container.report.services if record.state is State.NOT_NEEDED]


# Order


def test_each_service_comes_after_those_that_it_needs() -> None:
    class Container(ServiceContainer):
        last = Singleton(Thing)
        middle = Singleton(Thing, last)
        first = Singleton(Thing, middle, providers.List(providers.Factory(Thing, last)))

    container = Container()
    assert planned(container) == ["last", "middle", "first"]
    assert container.report["first"].needs == ["last", "middle"]
    assert container.report["last"].needs == []


# Cycles


def in_a_circle(length: int) -> Any:
    names = [f"service_{index}" for index in range(length)]
    members = {name: Singleton(forbidden) for name in names}
    container = type(ServiceContainer)("Container", (ServiceContainer,), members)()
    for index, name in enumerate(names):
        getattr(container, name).add_args(getattr(container, names[(index + 1) % length]))
    return container


@pytest.mark.parametrize("length", [1, 2, 3, 400])
async def test_a_cycle_is_named_as_a_chain_and_nothing_is_called(length: int) -> None:
    container = in_a_circle(length)
    with pytest.raises(CycleError) as error:
        await container.init_resources()
    chain = error.value.chain
    assert len(chain) == length + 1
    assert chain[0] == chain[-1]
    assert " -> ".join(chain) in str(error.value)
    assert not container.started


def test_a_cycle_through_an_override_is_found() -> None:
    class Container(ServiceContainer):
        one = Singleton(forbidden)
        two = Singleton(forbidden, one)

    container = Container()
    container.one.override(Singleton(forbidden, container.two))
    with pytest.raises(CycleError, match="one -> two -> one"):
        _ = container.report


def test_a_cycle_through_factories_callables_and_selectors_is_found() -> None:
    class Container(ServiceContainer):
        one = Singleton(forbidden)
        two = providers.Selector(providers.Callable(forbidden, one), a=Singleton(Thing))

    container = Container()
    container.one.add_kwargs(later=providers.Factory(forbidden, container.two))
    with pytest.raises(CycleError, match="one"):
        _ = container.report


def test_passing_a_provider_breaks_a_circle() -> None:
    class Container(ServiceContainer):
        one = Singleton(Thing)
        two = Singleton(Thing, one)

    container = Container()
    container.one.add_args(container.two.provider)
    assert planned(container) == ["one", "two"]
    assert container.two().needs[0].needs[0] is container.two


# What is left out


def test_what_only_a_replaced_service_needed_is_left_out() -> None:
    class Container(ServiceContainer):
        driver = Singleton(forbidden)
        pool = Singleton(forbidden, driver)
        shared = Singleton(Thing)
        database = Singleton(forbidden, pool, shared)
        cache = Singleton(Thing, shared)

    container = Container()
    assert planned(container) == ["driver", "pool", "shared", "database", "cache"]
    with container.database.override(Singleton(Thing)):
        assert planned(container) == ["shared", "database", "cache"]
        assert left_out(container) == ["driver", "pool"]
        assert container.report["database"].origin == "override"
    assert "pool" in planned(container)


def test_an_override_brings_what_it_needs() -> None:
    class Container(ServiceContainer):
        cache = Singleton(forbidden)

    container = Container()
    extra = Singleton(Thing)
    container.cache.override(Singleton(Thing, extra))
    assert planned(container) == ["Thing", "cache"]


def test_an_overridden_override_is_resolved_to_the_last() -> None:
    class Container(ServiceContainer):
        pool = Singleton(forbidden)
        cache = Singleton(forbidden, pool)

    container = Container()
    first = Singleton(forbidden, container.pool)
    container.cache.override(first)
    container.cache.override(Singleton(Thing))
    assert planned(container) == ["cache"]
    assert left_out(container) == ["pool"]


def test_an_unselected_branch_is_left_out() -> None:
    """Stock ``init_resources()`` starts the branches that a Selector does not select."""

    class Container(ServiceContainer):
        kind = providers.Object("memory")
        pool = Singleton(forbidden)
        memory = Singleton(Thing)
        cache = providers.Selector(kind, memory=memory, redis=Singleton(forbidden, pool))
        other = providers.Selector(kind, memory=Singleton(Thing, cache), redis=Singleton(forbidden))

    container = Container()
    assert planned(container) == ["memory", "other"]
    assert left_out(container) == ["pool"]


def test_what_an_injected_function_asks_for_is_needed(make_module: Callable[..., Any]) -> None:
    class Container(ServiceContainer):
        cache = Singleton(Thing)
        session = Singleton(Thing, cache)

    container = Container(session=Singleton(Thing))
    assert left_out(container) == ["cache"]
    module = make_module("sample_asking", "")

    def function(cache: Annotated[Thing, Provide["cache"]]) -> None: ...

    function.__module__ = module.__name__
    module.function = inject(function)
    container.wire(modules=[module])
    assert left_out(container) == []
    container.unwire()


def test_nested_containers_are_planned_under_dotted_names() -> None:
    class Inner(ServiceContainer):
        client = Singleton(Thing)

    class Outer(ServiceContainer):
        inner = providers.Container(Inner)
        user = Singleton(Thing, inner.client)

    assert planned(Outer()) == ["inner.client", "user"]


def test_values_and_configuration_are_not_services() -> None:
    class Container(ServiceContainer):
        version = providers.Object("1.0")
        config = providers.Configuration()
        factory = providers.Factory(Thing, config.url)
        service = Singleton(Thing, factory, config)

    assert planned(Container()) == ["service"]
    assert left_out(Container()) == []


# Backends


@service_factory(
    ServiceType.CACHE,
    Backend(name="memory", target="builtins:dict"),
    Backend(name="disk", target="bedplate.services.not_there:Disk", needs=("pool",)),
)
def build_cache(settings: SettingsService, pool: Any) -> Any:
    return build_cache.choose(settings).backend.load(ServiceType.CACHE)()


class WithBackends(ServiceContainer):
    settings = Singleton(SettingsService)
    pool = Singleton(Thing)
    cache = Singleton(build_cache, settings, pool.provider)


def test_an_engine_is_started_only_when_the_chosen_backend_needs_it() -> None:
    """ALL-2"""
    memory = WithBackends(settings=Singleton(SettingsService, cache={"backend": "memory"}))
    assert planned(memory) == ["settings", "cache"]
    assert left_out(memory) == ["pool"]
    assert memory.report["cache"].backend == "memory"
    disk = WithBackends(settings=Singleton(SettingsService, cache={"backend": "disk"}))
    assert planned(disk) == ["settings", "pool", "cache"]
    assert disk.report["cache"].needs == ["pool", "settings"]


def test_the_report_says_why_a_backend_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-2"""
    assert WithBackends().report["cache"].origin == "default"
    monkeypatch.setenv("BEDPLATE_CACHE__BACKEND", "disk")
    assert WithBackends().report["cache"].origin == "environment BEDPLATE_CACHE__BACKEND"


async def test_an_unselected_backend_is_never_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """ALL-2"""
    (tmp_path / "sample_backend.py").write_text("class Backend: backend = 'sample'")
    monkeypatch.syspath_prepend(tmp_path)

    @service_factory(
        ServiceType.CACHE,
        Backend(name="memory", target="builtins:dict"),
        Backend(name="disk", target="sample_backend:Backend"),
    )
    def build(settings: SettingsService) -> Any:
        return build.choose(settings).backend.load(ServiceType.CACHE)()

    class Container(ServiceContainer):
        settings = Singleton(SettingsService)
        cache = Singleton(build, settings)

    async with Container(settings=Singleton(SettingsService, cache={"backend": "memory"})).running():
        assert "sample_backend" not in sys.modules
    async with Container(settings=Singleton(SettingsService, cache={"backend": "disk"})).running():
        assert sys.modules.pop("sample_backend")


async def test_a_backend_that_needs_what_is_not_there_is_an_error() -> None:
    class Container(ServiceContainer):
        settings = Singleton(SettingsService, cache={"backend": "disk"})
        cache = Singleton(build_cache, settings, None)

    with pytest.raises(UnknownServiceError, match=r"cache: its backend 'disk' needs 'pool'.*pool = Singleton"):
        await Container().init_resources()


async def test_a_backend_that_is_not_declared_is_an_error_before_anything_starts() -> None:
    @service_factory(ServiceType.CACHE, Backend(name="quantum", target="builtins:dict"))
    def build(settings: SettingsService) -> Any:
        raise AssertionError

    class Container(ServiceContainer):
        settings = Singleton(SettingsService, cache={"backend": "memory"})
        cache = Singleton(build, settings)
        other = Singleton(forbidden)

    with pytest.raises(ConfigurationError, match="BEDPLATE_CACHE__BACKEND to one of quantum"):
        await Container().init_resources()


# Parts


def test_part_of_a_container_is_named_by_provider_or_by_name() -> None:
    class Container(ServiceContainer):
        settings = Singleton(Thing)
        database = Singleton(Thing, settings)
        cache = Singleton(forbidden, database)

    container = Container()
    assert [node.name for node in container._plan([container.database]).nodes] == ["settings", "database"]
    assert container._provider("cache") is container.cache


@pytest.mark.parametrize("wrong", ["nothing", Singleton(Thing)], ids=["name", "provider"])
async def test_a_part_that_is_not_in_the_container_is_an_error(wrong: Any) -> None:
    class Container(ServiceContainer):
        database = Singleton(forbidden)

    with pytest.raises(UnknownServiceError, match=r"has no service.*database"):
        await Container().init_resources(only=[wrong])


def test_a_cycle_that_only_the_chosen_backend_makes_is_found() -> None:
    class Container(ServiceContainer):
        settings = Singleton(SettingsService, cache={"backend": "disk"})
        pool = Singleton(forbidden)
        cache = Singleton(build_cache, settings, pool.provider)

    container = Container()
    container.pool.add_args(container.cache)
    with pytest.raises(CycleError, match="pool"):
        _ = container.report
    container = Container(settings=Singleton(SettingsService, cache={"backend": "memory"}))
    container.pool.add_args(container.cache)
    assert planned(container) == ["settings", "cache"]


def test_a_cycle_in_the_class_is_found_in_its_containers() -> None:
    one, two = Singleton(forbidden), Singleton(forbidden)
    one.add_args(two)
    two.add_args(one)
    declared = type(ServiceContainer)("Container", (ServiceContainer,), {"one": one, "two": two})
    with pytest.raises(CycleError, match="one -> two -> one"):
        declared()


def test_services_without_a_name_are_told_apart() -> None:
    class Container(ServiceContainer):
        user = Singleton(Thing, Singleton(Thing), Singleton(Thing))

    assert planned(Container()) == ["Thing", "Thing_2", "user"]


# Required or optional


class Optional(SettingsService):
    """Settings that make the cache optional."""

    def __init__(self) -> None:
        super().__init__(cache={"required": False, "backend": "memory"})


def test_required_or_optional_is_a_setting_of_the_service() -> None:
    class Container(ServiceContainer):
        settings = Singleton(Optional)
        cache = Singleton(Thing, settings)
        database = Singleton(Thing, settings)

    report = Container().report
    assert {one.name: one.required for one in report.services} == {"settings": True, "cache": False, "database": True}


def test_an_engine_is_as_required_as_those_that_need_it() -> None:
    class Container(ServiceContainer):
        settings = Singleton(Optional)
        driver = Singleton(Thing)
        pool = Singleton(Thing, driver)
        cache = Singleton(Thing, settings, pool)

    class WithAnotherUser(Container):
        database = Singleton(Thing, Container.pool)

    assert not {one.name for one in Container().report.services if one.required}
    required = {one.name for one in WithAnotherUser().report.services if one.required}
    assert required == {"driver", "pool", "database"}
