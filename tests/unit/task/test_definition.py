"""What can be a task, and what it is called."""

import inspect
import uuid
from typing import Annotated, Any

import msgspec
import pytest
from dependency_injector.wiring import Provide
from pydantic import BaseModel

from bedplate.containers import inject
from bedplate.services.database import DatabaseService
from bedplate.services.task import (
    Backoff,
    TaskArgumentsError,
    TaskContext,
    TaskDefinitionError,
    TaskNameTakenError,
    TaskRegistry,
    UnknownTaskError,
)

Database = Annotated[DatabaseService, Provide["database"]]


async def module_level(number: int) -> int:
    return number


def test_decorated_function_stays_as_it_is(registry: TaskRegistry) -> None:
    decorated = registry.task("named")(module_level)
    assert decorated is module_level
    assert registry.get("named").function is module_level
    assert registry.get(module_level).name == "named"
    assert registry.names == ("named",)


def test_name_is_by_default_where_the_function_is(registry: TaskRegistry) -> None:
    registry.task(module_level)
    assert registry.names == (f"{__name__}.module_level",)


def test_function_that_is_loaded_again_replaces_itself_and_another_is_refused(registry: TaskRegistry) -> None:
    registry.task("same")(module_level)
    registry.task("same")(module_level)

    async def other() -> None: ...

    with pytest.raises(TaskNameTakenError, match=r"module_level.*other"):
        registry.task("same")(other)


def test_name_that_nobody_has_is_an_error_with_the_nearest(registry: TaskRegistry) -> None:
    registry.task("reports.build")(module_level)
    with pytest.raises(UnknownTaskError, match=r"did you mean 'reports\.build'"):
        registry.get("report.build")
    with pytest.raises(UnknownTaskError, match="BEDPLATE_TASK__MODULES"):
        registry.get("zzz")


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\0"])
def test_impossible_names_are_refused(registry: TaskRegistry, name: str) -> None:
    with pytest.raises(TaskDefinitionError):
        registry.task(name or "\t")(module_level)


def test_local_function_needs_a_name(registry: TaskRegistry) -> None:
    async def local() -> None: ...

    with pytest.raises(TaskDefinitionError, match="name it"):
        registry.task(local)


def test_functions_that_data_cannot_fill_are_refused(registry: TaskRegistry) -> None:
    async def star(*args: int) -> None: ...
    async def stars(**kwargs: int) -> None: ...
    async def positional(number: int, /) -> None: ...
    async def generator() -> Any:
        yield 1

    async def odd(thing: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is what is wrong

    for function in (star, stars, positional, generator, odd, print, 5):
        with pytest.raises(TaskDefinitionError):
            registry.task("bad")(function)  # type: ignore[type-var]
    assert registry.names == ()


@pytest.mark.parametrize("options", [{"timeout": -1}, {"max_attempts": -1}])
def test_options_that_make_no_sense_are_refused(registry: TaskRegistry, options: dict[str, Any]) -> None:
    with pytest.raises(TaskDefinitionError):
        registry.task("bad", **options)(module_level)


@pytest.mark.parametrize("values", [{"first": -1}, {"factor": 0.5}, {"longest": -1}, {"jitter": 1.1}, {"jitter": -0.1}])
def test_backoff_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(TaskDefinitionError):
        Backoff(**values)


def test_backoff_doubles_up_to_its_bound_and_is_shortened_by_chance() -> None:
    """TASK-1: retries with backoff and jitter."""
    steady = Backoff(first=1, factor=2, longest=10, jitter=0)
    assert [steady.wait(failures) for failures in (1, 2, 3, 4, 5, 5_000)] == [1, 2, 4, 8, 10, 10]
    waits = {Backoff(first=8, jitter=0.5).wait(1) for _ in range(50)}
    assert len(waits) > 40
    assert all(4 <= wait <= 8 for wait in waits)


def test_injected_parameters_are_no_arguments(registry: TaskRegistry) -> None:
    """TASK-1: @inject under @task; the other way round is refused with the fix."""

    @registry.task("injected")
    @inject
    async def injected(context: TaskContext, number: int, database: Database) -> None: ...

    definition = registry.get("injected")
    assert definition.is_async
    assert definition.arguments.context == "context"
    assert definition.arguments.decode('{"number": 1}') == {"number": 1}
    assert "database" not in inspect.signature(injected).parameters
    with pytest.raises(TaskArgumentsError):
        definition.arguments.decode('{"number": 1, "database": 2}')

    async def wrong(number: int, database: Database) -> None: ...

    with pytest.raises(TaskDefinitionError, match="put @inject under @task"):
        registry.task("wrong")(wrong)


class Order(BaseModel):
    id: uuid.UUID
    lines: list[int]


class Line(msgspec.Struct):
    number: int


def test_models_are_arguments_too(registry: TaskRegistry) -> None:
    @registry.task("models")
    async def models(order: Order, line: Line, more: list[Line] = []) -> None: ...  # noqa: B006 - copied

    arguments = registry.get("models").arguments
    given = {"order": Order(id=uuid.UUID(int=1), lines=[1]), "line": Line(2)}
    assert arguments.decode(arguments.encode(given, 1_000)) == given | {"more": []}
    with pytest.raises(TaskArgumentsError, match="lines"):
        arguments.encode({"order": {"id": str(uuid.UUID(int=1)), "lines": "x"}, "line": {"number": 1}}, 1_000)


def test_no_error_repeats_a_value(registry: TaskRegistry) -> None:
    registry.task("secret")(module_level)
    for value in ("hunter2-secret", ["hunter2-secret"], {"hunter2": "hunter2-secret"}):
        with pytest.raises(TaskArgumentsError) as caught:
            registry.get("secret").arguments.encode({"number": value}, 1_000)
        assert "secret'" not in str(caught.value).replace("the task 'secret'", "")
        assert "hunter2" not in str(caught.value)


def test_arguments_that_are_nested_endlessly_are_refused(registry: TaskRegistry) -> None:
    endless: list[Any] = []
    endless.append(endless)

    @registry.task("any")
    async def anything(value: Any) -> None: ...

    with pytest.raises(TaskArgumentsError, match="nested too deeply"):
        registry.get("any").arguments.encode({"value": endless}, 1_000)
