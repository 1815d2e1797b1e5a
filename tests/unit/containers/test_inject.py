"""``@inject``: what is filled, what is hidden, for every kind of function and of parameter."""

import asyncio
import contextlib
import gc
import inspect
import linecache
import traceback
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from dependency_injector.wiring import Closing, Provider

from bedplate.containers import Provide, ServiceContainer, Singleton, binding, inject
from bedplate.containers.errors import InjectionError, NotWiredError
from bedplate.services.errors import BedplateError, WiringError


class Db:
    label = "db"


class FakeDb(Db):
    label = "fake"


class Store:
    label = "store"


class Container(ServiceContainer):
    database = Singleton(Db)
    store = Singleton(Store)


Database = Annotated[Db, Provide["database"]]
StoreService = Annotated[Store, Provide["store"]]


@pytest.fixture
def container() -> Iterator[Container]:
    made = Container()
    made.wire(modules=[__name__])
    yield made
    made.unwire()


# Where the marker may be


@inject
def by_annotation(database: Database) -> str:
    return database.label


@inject
def by_default(factor: int, database: Db = Provide["database"]) -> tuple[int, str]:
    return factor, database.label


@inject
def by_string_annotation(database: "Database", missing: "NotImported | None" = None) -> str:  # noqa: F821
    return database.label


@inject
def by_provider_class(database: Db = Provide[Container.database]) -> str:
    return database.label


@inject
def with_the_provider(database: Annotated[Any, Provider["database"]]) -> Any:
    return database


@inject
def with_the_container(container: Annotated[Any, Provide["<container>"]]) -> Any:
    return container


def test_marked_parameters_are_filled(container: Container) -> None:
    assert by_annotation() == "db"
    assert by_default(3) == (3, "db")
    assert by_string_annotation() == "db"
    assert by_provider_class() == "db"


def test_a_provider_marker_gives_the_provider_and_the_container_marker_the_container(container: Container) -> None:
    assert with_the_provider() is container.database
    assert with_the_container() is container


def test_names_of_the_enclosing_function_are_seen_in_string_annotations(container: Container) -> None:
    class Local(Db):
        pass

    @inject
    def function(database: "Annotated[Local, Provide['database']]") -> str:
        return database.label

    assert function() == "db"


def test_markers_may_name_options_and_attributes_of_what_is_provided(container: Container) -> None:
    @inject
    def function(label: Annotated[str, Provide[Container.database.provided.label]]) -> str:
        return label

    assert function() == "db"


# What is visible


@inject
def everything(
    first: int,
    /,
    database: Database,
    second: int,
    third: int = 2,
    *rest: int,
    store: StoreService,
    fourth: int,
    fifth: int = 4,
    **options: int,
) -> tuple[Any, ...]:
    return first, database.label, second, third, rest, store.label, fourth, fifth, options


@inject
def hidden_first(database: Database, sid: str, data: object = None) -> tuple[object, ...]:
    return sid, data, database.label


@inject
def positional_only(database: Database, factor: int, /) -> tuple[int, str]:
    return factor, database.label


@inject
async def coroutine(factor: int, database: Database) -> str:
    return f"{factor}{database.label}"


def test_injected_parameters_are_hidden() -> None:
    assert str(inspect.signature(coroutine)) == "(factor: int) -> str"
    assert coroutine.__annotations__ == {"factor": int, "return": str}
    assert typing.get_type_hints(coroutine, include_extras=True) == {"factor": int, "return": str}
    assert inspect.getfullargspec(hidden_first).args == ["sid", "data"]
    assert list(inspect.signature(everything).parameters) == [
        "first", "second", "third", "rest", "fourth", "fifth", "options",
    ]  # fmt: skip


def test_every_kind_of_parameter_arrives(container: Container) -> None:
    assert everything(0, 1, fourth=3) == (0, "db", 1, 2, (), "store", 3, 4, {})
    filled = everything(0, 1, 9, 8, 7, fourth=3, fifth=5, extra=6)
    assert filled == (0, "db", 1, 9, (8, 7), "store", 3, 5, {"extra": 6})
    assert hidden_first("s") == ("s", None, "db")
    assert positional_only(1) == (1, "db")


def test_a_caller_may_pass_what_is_injected_by_keyword(container: Container) -> None:
    assert by_annotation(database=FakeDb()) == "fake"
    assert everything(0, 1, fourth=3, database=FakeDb())[1] == "fake"
    assert hidden_first("s", 1, database=FakeDb()) == ("s", 1, "fake")
    assert positional_only(1, database=FakeDb()) == (1, "fake")

    @inject
    def echo(database: Database, store: StoreService) -> tuple[object, object]:
        return database, store

    assert echo(database=None, store=0) == (None, 0)


def test_wrong_calls_are_type_errors_that_name_the_function(container: Container) -> None:
    with pytest.raises(TypeError, match=r"hidden_first\(\) missing"):
        hidden_first()
    with pytest.raises(TypeError, match="hidden_first"):
        hidden_first(1, 2, 3)
    with pytest.raises(TypeError, match=r"by_annotation\(\) got an unexpected keyword argument 'other'"):
        by_annotation(other=1)
    with pytest.raises(TypeError, match="multiple values"):
        hidden_first(1, sid=2)


def test_parameters_named_like_the_wrappers_own_names_do_not_clash(container: Container) -> None:
    @inject
    def function(_fn: int, _given: int, _database: int, database: Database, **_kwargs: int) -> tuple[object, ...]:
        return _fn, _given, _database, database.label, _kwargs

    assert function(1, 2, 3) == (1, 2, 3, "db", {})
    assert function(1, _given=2, _database=3, more=4) == (1, 2, 3, "db", {"more": 4})


# Kinds of functions


class Holder:
    @inject
    def __init__(self, factor: int, database: Database) -> None:
        self.factor, self.database = factor, database

    @inject
    async def method(self, more: int, database: Database) -> tuple[object, ...]:
        return self.factor, more, database.label

    @staticmethod
    @inject
    def static(database: Database) -> str:
        return database.label

    @inject
    @staticmethod
    def static_too(database: Database) -> str:
        return database.label

    @classmethod
    @inject
    def of_class(cls, database: Database) -> tuple[str, str]:
        return cls.__name__, database.label

    @inject
    @classmethod
    def of_class_too(cls, database: Database) -> tuple[str, str]:
        return cls.__name__, database.label

    @inject
    async def __call__(self, question: str, database: Database) -> str:
        return question + database.label


@inject
class Decorated:
    def __init__(self, factor: int, database: Database) -> None:
        self.factor, self.database = factor, database


async def test_methods_and_classes(container: Container) -> None:
    holder = Holder(1)
    assert (holder.factor, holder.database.label) == (1, "db")
    assert await holder.method(2) == (1, 2, "db")
    assert Holder.static() == holder.static_too() == Holder.static_too() == "db"
    assert Holder.of_class() == Holder.of_class_too() == ("Holder", "db")
    assert await holder("q") == "qdb"
    assert str(inspect.signature(Holder)) == "(factor: int) -> None"
    assert Decorated(2).database.label == "db"
    assert list(inspect.signature(Decorated).parameters) == ["factor"]


@inject
def generator(database: Database, count: int = 1) -> Iterator[Any]:
    received = yield database.label
    yield received
    return count


def test_generators_pass_on_what_is_sent_and_returned(container: Container) -> None:
    running = generator(count=5)
    assert next(running) == "db"
    assert running.send("hello") == "hello"
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == 5
    assert next(generator(database=FakeDb())) == "fake"


JOURNAL: list[str] = []


@inject
async def async_generator(database: Database, count: int = 1) -> AsyncIterator[Any]:
    try:
        received = yield database.label
        JOURNAL.append(f"received {received}")
        yield count
    except ValueError as error:
        JOURNAL.append(f"caught {error}")
        raise
    finally:
        JOURNAL.append("closed")


@pytest.fixture
def events() -> list[str]:
    JOURNAL.clear()
    return JOURNAL


async def test_async_generators_pass_on_what_is_sent(container: Container, events: list[str]) -> None:
    running = async_generator(7)
    assert await anext(running) == "db"
    assert await running.asend("x") == 7
    with pytest.raises(StopAsyncIteration):
        await anext(running)
    assert events == ["received x", "closed"]
    assert [value async for value in async_generator(3)] == ["db", 3]


async def test_async_generators_close_when_they_are_closed(container: Container, events: list[str]) -> None:
    running = async_generator()
    await anext(running)
    await running.aclose()
    assert events == ["closed"]


async def test_async_generators_see_what_is_thrown_into_them(container: Container, events: list[str]) -> None:
    """A dependency that yields must be able to roll back."""
    running = async_generator(database=FakeDb())
    assert await anext(running) == "fake"
    with pytest.raises(ValueError, match="bad"):
        await running.athrow(ValueError("bad"))
    assert events == ["caught bad", "closed"]


async def test_async_generators_see_a_cancellation(container: Container, events: list[str]) -> None:
    entered = asyncio.Event()

    async def use() -> None:
        async with contextlib.asynccontextmanager(async_generator)():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["closed"]


@inject
def failing(database: Database) -> None:
    raise KeyError("broken")


def test_a_wrapper_looks_like_its_function(container: Container) -> None:
    assert inspect.iscoroutinefunction(coroutine)
    assert asyncio.iscoroutinefunction(coroutine)
    assert inspect.iscoroutinefunction(Holder.method)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    assert not inspect.iscoroutinefunction(by_annotation)
    assert (coroutine.__name__, coroutine.__qualname__, coroutine.__module__) == ("coroutine", "coroutine", __name__)
    assert coroutine.__globals__ is globals()
    assert "async def coroutine" in inspect.getsource(coroutine)


def test_the_wrapper_can_be_read_in_a_traceback(container: Container) -> None:
    try:
        failing()
    except KeyError:
        text = traceback.format_exc()
    assert "in failing\n    return _fn(_database())" in text
    assert 'raise KeyError("broken")' in text


# Refused


def test_a_function_without_markers_is_refused() -> None:
    with pytest.raises(InjectionError, match=r"test_inject.*plain\(\): no parameter is marked") as refused:

        @inject
        def plain(x: int, y: "Unknown") -> None: ...  # noqa: F821

    assert "cannot be evaluated: y" in str(refused.value)
    assert isinstance(refused.value, WiringError)
    assert isinstance(refused.value, TypeError)


def test_a_marker_that_exists_for_type_checkers_alone_is_refused() -> None:
    with pytest.raises(InjectionError, match="annotation of 'y' cannot be evaluated"):

        @inject
        def function(x: Database, y: "Annotated[Unknown, Provide['store']]") -> None: ...  # noqa: F821


class Depends:
    """Has the shape of FastAPI's."""

    def __init__(self, dependency: object) -> None:
        self.dependency = dependency


@pytest.mark.parametrize("marker", [Closing[Provide["store"]], Depends(Provide["store"])], ids=["Closing", "Depends"])
def test_closing_and_depends_around_a_marker_are_refused(marker: Any) -> None:
    with pytest.raises(InjectionError, match=f"'store' is marked with {type(marker).__name__}.*Provide"):

        @inject
        def function(database: Database, store: Any = marker) -> None: ...


def test_what_is_not_an_ordinary_parameter_is_refused() -> None:
    with pytest.raises(InjectionError, match="cannot be injected"):

        @inject
        def function(*databases: Database) -> None: ...


def test_what_is_not_a_function_is_refused() -> None:
    with pytest.raises(InjectionError, match="cannot wrap 3"):
        inject(typing.cast("Callable[..., Any]", 3))


# Overrides and wiring


def test_an_override_holds_at_each_call(container: Container) -> None:
    """Design card: overrides before and after the functions are made, restored after."""

    def late() -> str:
        @inject
        def closure(database: Database) -> str:
            return database.label

        return closure()

    assert by_annotation() == "db"
    with container.database.override(Singleton(FakeDb)):
        assert by_annotation() == "fake"
        assert late() == "fake"
    assert by_annotation() == "db"
    assert late() == "db"


async def test_an_unwired_call_says_what_to_do() -> None:
    with pytest.raises(NotWiredError) as error:
        by_annotation()
    text = str(error.value)
    assert f"{__name__}.by_annotation()" in text
    assert "'database'" in text
    assert f"container.wire(modules=['{__name__}'])" in text
    assert isinstance(error.value, BedplateError)
    with pytest.raises(NotWiredError):
        await coroutine(1)
    assert by_annotation(database=FakeDb()) == "fake"


def test_functions_made_after_wire_are_bound_and_collected(container: Container) -> None:
    """An app factory makes its routes in closures: they work, and leave nothing behind."""

    def make() -> Callable[..., str]:
        @inject
        def closure(database: Database) -> str:
            return database.label

        return closure

    make()  # the code of this shape is compiled, and kept for tracebacks, once
    gc.collect()
    bound, lines = len(binding._bindings), len(linecache.cache)
    made = [make() for _ in range(50)]
    assert {function() for function in made} == {"db"}
    assert len(binding._bindings) == bound + 50
    one = weakref.ref(made[0])
    made.clear()
    gc.collect()
    assert one() is None
    assert len(binding._bindings) == bound
    assert len(linecache.cache) == lines
