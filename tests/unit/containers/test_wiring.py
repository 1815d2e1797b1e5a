"""``container.wire()``: strict, all or nothing, one running container for a module."""

import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from dependency_injector import containers, providers
from dependency_injector.wiring import inject as stock_inject

from bedplate.containers import Provide, ServiceContainer, Singleton, inject
from bedplate.containers.errors import AlreadyWiredError, CycleError, NotWiredError, UnknownServiceError
from bedplate.services.errors import WiringError

MakeModule = Callable[..., types.ModuleType]

HEADER = """
from typing import Annotated
from bedplate.containers import Provide, inject
"""
GOOD = HEADER + "\n@inject\ndef name(database: Annotated[object, Provide['database']]): return database.label\n"


class Db:
    label = "db"


class FakeDb(Db):
    label = "fake"


class Container(ServiceContainer):
    database = Singleton(Db)


@inject
def name(database: Annotated[Db, Provide["database"]]) -> str:
    return database.label


@pytest.fixture
def container() -> Iterator[Container]:
    made = Container()
    yield made
    made.unwire()


@pytest.fixture
def other() -> Iterator[Container]:
    made = Container(database=Singleton(FakeDb))
    yield made
    made.unwire()


# Strict


def test_an_unknown_service_names_module_function_and_parameter(container: Container, make_module: MakeModule) -> None:
    """One error for all of them, and nothing is left wired."""
    good = make_module("sample_good", GOOD)
    bad = make_module(
        "sample_bad",
        HEADER
        + """
@inject
def first(x: int, nope: Annotated[int, Provide["no_such"]]): ...
class Holder:
    @inject
    def method(self, wire: Annotated[int, Provide["wire"]]): ...
@inject
def fine(database: Annotated[object, Provide["database"]]): ...
""",
    )
    container.wire(modules=[__name__])
    with pytest.raises(UnknownServiceError) as error:
        container.wire(modules=[good, bad])
    text = str(error.value)
    assert "sample_bad.first(): parameter 'nope' wants Provide['no_such']" in text
    assert "sample_bad.Holder.method(): parameter 'wire' wants Provide['wire']" in text
    assert text.endswith("services: database")
    assert not container.wired_to_modules
    for function in (bad.fine, good.name, name):
        with pytest.raises(NotWiredError):
            function()


async def test_an_unresolved_marker_stops_the_start(container: Container, make_module: MakeModule) -> None:
    module = make_module("sample_late", GOOD)
    container.wire(modules=[module])
    del container.database
    with pytest.raises(UnknownServiceError, match=r"sample_late\.name\(\): parameter 'database'"):
        await container.init_resources()
    assert not container.started


def test_a_function_made_after_wire_is_held_to_the_same(container: Container) -> None:
    container.wire(modules=[__name__])
    with pytest.raises(UnknownServiceError, match="parameter 'nope'"):

        @inject
        def function(nope: Annotated[int, Provide["no_such"]]) -> None: ...


@pytest.mark.parametrize(
    "source",
    [
        "from dependency_injector.wiring import inject\n@inject\ndef f(nope=Provide['no_such']): ...",
        "def f(nope=Provide['no_such']): ...",
        "nope = Provide['no_such']",
        "nope: Annotated[int, Provide['no_such']]",
        "class Holder:\n    nope = Provide['no_such']",
        "class Holder:\n    @staticmethod\n    def f(nope=Provide['no_such']): ...",
        "class Depends:\n    dependency = Provide['no_such']\n"
        "import fastapi\ndef f(nope=fastapi.Depends(Provide['no_such'])): ...",
    ],
    ids=["stock", "undecorated", "attribute", "annotation", "class", "static method", "depends"],
)
def test_a_marker_where_only_the_stock_wiring_looks_is_strict_too(
    container: Container, make_module: MakeModule, source: str
) -> None:
    module = make_module("sample_stock", HEADER + source)
    with pytest.raises(UnknownServiceError, match=r"sample_stock: Unresolved marker nope"):
        container.wire(modules=[module])
    assert not container.wired_to_modules


def test_the_stock_inject_works_beside(container: Container, make_module: MakeModule) -> None:
    source = "\n@stock\ndef f(database=Provide['database']): return database.label\n"
    module = make_module("sample_beside", GOOD + source, stock=stock_inject)
    container.wire(modules=[module])
    assert (module.f(), module.name()) == ("db", "db")
    with container.database.override(Singleton(FakeDb)):
        assert (module.f(), module.name()) == ("fake", "fake")


def test_warnings_of_others_pass_through(container: Container, make_module: MakeModule) -> None:
    class Old:
        @property
        def label(self) -> str:
            warnings.warn("old", DeprecationWarning, stacklevel=2)
            return "old"

    container.database.override(Singleton(Old))
    source = HEADER + "label = Provide[Container.database.provided.label]"
    module = make_module("sample_warns", source, Container=Container)
    with pytest.warns(DeprecationWarning, match="old"):
        container.wire(modules=[module])
    assert module.label == "old"


def test_a_cycle_is_named_before_wiring_calls_a_provider(make_module: MakeModule) -> None:
    """A module attribute is filled while wiring; a cycle among providers would end the process."""
    container = Container()
    container.database.add_args(container.database)
    with pytest.raises(CycleError):
        container.wire(modules=[make_module("sample_attribute", HEADER + "database = Provide['database']")])


# Which modules


def test_modules_may_be_named_and_relative(container: Container, make_module: MakeModule) -> None:
    make_module("sample_package", "").__path__ = []  # type: ignore[attr-defined]
    module = make_module("sample_package.part", GOOD)
    container.wire(modules=["sample_package.part"])
    assert module.name() == "db"
    container.unwire()
    container.wire(modules=[".part"], from_package="sample_package")
    assert module.name() == "db"
    container.unwire()
    exec("container.wire(modules=['.part'])", {"__package__": "sample_package", "container": container})
    assert module.name() == "db"


def test_a_container_wires_what_its_configuration_names(make_module: MakeModule) -> None:
    make_module("sample_package", "").__path__ = []  # type: ignore[attr-defined]
    module = make_module("sample_package.part", GOOD)

    class Configured(Container):
        wiring_config = containers.WiringConfiguration(modules=[".part"], from_package="sample_package")

    made = Configured()
    assert module.name() == "db"
    made.unwire()
    with pytest.raises(NotWiredError):
        module.name()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    root = tmp_path / "sample_tree"
    (root / "deep").mkdir(parents=True)
    for file in ("__init__.py", "deep/__init__.py", "deep/leaf.py"):
        (root / file).write_text(GOOD)
    (root / "__main__.py").write_text("raise SystemExit('a package was run by wiring it')")
    monkeypatch.syspath_prepend(tmp_path)
    yield "sample_tree"
    for module in [name for name in sys.modules if name.split(".")[0] == "sample_tree"]:
        del sys.modules[module]


def test_a_package_is_wired_with_all_below_it_but_not_run(container: Container, package: str) -> None:
    container.wire(packages=[package])
    assert {module.__name__ for module in container.wired_to_modules} == {
        "sample_tree", "sample_tree.deep", "sample_tree.deep.leaf",
    }  # fmt: skip
    assert sys.modules["sample_tree.deep.leaf"].name() == "db"


def test_a_module_of_a_wired_package_that_is_imported_late_is_bound(
    container: Container, package: str, make_module: MakeModule
) -> None:
    container.wire(packages=[package])
    late = make_module("sample_tree.deep.late", GOOD)
    assert late.name() == "db"
    container.unwire()
    with pytest.raises(NotWiredError):
        late.name()


# Providers that come and go


async def test_a_provider_replaced_by_assignment_is_seen_at_the_next_start(container: Container) -> None:
    container.wire(modules=[__name__])
    container.database = Singleton(FakeDb)
    await container.init_resources()
    assert name() == "fake"
    await container.shutdown_resources()


def test_a_plug_in_adds_a_service_to_one_container(container: Container, make_module: MakeModule) -> None:
    """After stock ``setattr``, ``wire()`` is a KeyError."""
    container.add("extra", Singleton(FakeDb))
    module = make_module("sample_plugin", GOOD.replace("['database']", "['extra']"))
    container.wire(modules=[module])
    assert module.name() == "fake"
    assert "extra" not in Container().providers
    assert container.get("extra").label == "fake"


@pytest.mark.parametrize("taken", ["database", "wire", "running", "_hidden", "not a name"])
def test_a_plug_in_cannot_take_a_name(container: Container, taken: str) -> None:
    with pytest.raises(WiringError, match=taken):
        container.add(taken, Singleton(FakeDb))
    assert container.get("database").label == "db"


@pytest.mark.parametrize("taken", ["wire", "running", "report"])
def test_a_class_cannot_take_a_name_either(taken: str) -> None:
    with pytest.raises(WiringError, match=f"cannot be called '{taken}'"):
        type(ServiceContainer)("Mine", (ServiceContainer,), {taken: Singleton(Db)})


def test_redefining_a_service_that_others_need_is_refused() -> None:
    """They would silently go on with the one of the base, and two of it would run."""

    class Base(Container):
        user = Singleton(list, Container.database)
        top = Singleton(list, user)

    with pytest.raises(WiringError, match=r"Mine redefines 'database', but top, user would.*Mine\(database=Singleton"):

        class Mine(Base):
            database = Singleton(FakeDb)

    class WithoutDependants(Base):
        top = Singleton(dict)

    assert WithoutDependants().top() == {}

    class WithThemRedefined(Base):
        database = Singleton(FakeDb)
        user = Singleton(dict, db=database)
        top = Singleton(dict, user=user)

    made = WithThemRedefined()
    assert made.top()["user"]["db"] is made.database()


def test_nested_containers_resolve_by_dotted_names(make_module: MakeModule) -> None:
    class Inner(containers.DeclarativeContainer):
        client = providers.Object("client")

    class Outer(Container):
        inner = providers.Container(Inner)

    module = make_module(
        "sample_nested", HEADER + "@inject\ndef f(c: Annotated[str, Provide['inner.client']]): return c"
    )
    made = Outer()
    made.wire(modules=[module])
    assert module.f() == "client"
    made.unwire()


# Two containers


def test_the_last_wired_wins_and_the_other_does_not_take_it_away(
    container: Container, other: Container, make_module: MakeModule
) -> None:
    first, second = make_module("sample_first", GOOD), make_module("sample_second", GOOD)
    container.wire(modules=[first])
    other.wire(modules=[second])
    assert (first.name(), second.name()) == ("db", "fake")
    container.unwire()
    assert second.name() == "fake"
    with pytest.raises(NotWiredError):
        first.name()
    container.wire(modules=[second])
    assert second.name() == "db"
    other.unwire()
    assert second.name() == "db"


async def test_a_second_running_container_on_the_same_modules_is_an_error(
    container: Container, other: Container
) -> None:
    """Wiring is global to the process: the second would silently take the functions of the first."""
    container.wire(modules=[__name__])
    async with container.running():
        with pytest.raises(AlreadyWiredError, match=f"running container is wired to {__name__}.*process each"):
            other.wire(modules=[__name__])
        assert name() == "db"
    other.wire(modules=[__name__])
    assert name() == "fake"


async def test_a_container_that_starts_takes_its_modules_back(container: Container, other: Container) -> None:
    container.wire(modules=[__name__])
    other.wire(modules=[__name__])
    async with container.running():
        assert name() == "db"
        with pytest.raises(AlreadyWiredError):
            await other.init_resources()
        assert not other.started
    async with other.running():
        assert name() == "fake"


async def test_a_module_and_its_package_are_the_same_modules(
    container: Container, other: Container, package: str, make_module: MakeModule
) -> None:
    container.wire(packages=[package])
    async with container.running():
        with pytest.raises(AlreadyWiredError):
            other.wire(modules=["sample_tree.deep"])
    similar = make_module("sample_tree_of_another", GOOD)
    async with container.running():
        other.wire(modules=[similar])
        assert similar.name() == "fake"
