"""The universal ``@inject``: fills marked parameters from the container, and hides them from every framework.

A parameter is marked by its annotation, ``db: Annotated[Db, Provide["database"]]``, or by its default,
``db: Db = Provide["database"]``. At each call it is filled by calling ``container.database()``, so that an override
holds at once; a caller may still pass it by keyword. The wrapper's visible signature does not have it, so FastAPI,
Typer, Celery and Socket.IO never see it. ``container.wire()`` binds the function to the container.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar, cast, get_args, get_origin

from dependency_injector import wiring

from bedplate.containers import binding
from bedplate.containers.codegen import Slot, WrapperKind, compile_wrapper
from bedplate.containers.errors import InjectionError

__all__ = ["inject"]

P = ParamSpec("P")
R = TypeVar("R")

_Namespaces = tuple[dict[str, Any], dict[str, Any]]

# The markers are classes, which their stubs describe as instances of a protocol.
_CLOSING = cast("type", wiring.Closing)
_MARKERS = (cast("type", wiring.Provide), cast("type", wiring.Provider), _CLOSING)


def inject(fn: Callable[P, R]) -> Callable[..., R]:
    """Fill the marked parameters of ``fn`` from the container that is wired to its module, and hide them.

    Works on functions, coroutine functions, generators, async generators, methods, static and class methods, and on
    classes, whose ``__init__`` it injects. Put it under the decorator of a framework::

        @router.get("/flows/{flow_id}")
        @inject
        async def read_flow(flow_id: UUID, database: Database) -> FlowRead: ...

    Args:
        fn: A function with at least one parameter marked ``Provide[...]`` or ``Provider[...]``.

    Returns:
        A function of the same kind without the injected parameters in its signature; calling it while no container
        is wired to its module raises :class:`~bedplate.containers.errors.NotWiredError`.

    Raises:
        InjectionError: Nothing is marked, or a marker is of a kind that is not supported.
        UnknownServiceError: A container is wired to the module already and does not have the service.
    """
    return cast("Callable[..., R]", _inject(fn, sys._getframe(1).f_locals))  # noqa: SLF001  # documented


def _inject(fn: Any, enclosing: dict[str, Any]) -> Any:
    if isinstance(fn, staticmethod | classmethod):
        return type(fn)(_inject(fn.__func__, enclosing))
    if isinstance(fn, type):
        fn.__init__ = _inject(fn.__init__, enclosing)  # type: ignore[misc]  # it is this class that is decorated
        return fn
    if not inspect.isfunction(fn):
        raise InjectionError(f"@inject cannot wrap {fn!r}", fix="put it on a function, a method or a class")
    namespaces = inspect.unwrap(fn).__globals__, enclosing
    signature = inspect.signature(fn)
    parameters = [p.replace(annotation=_evaluate(p.annotation, namespaces)) for p in signature.parameters.values()]
    markers = _markers(fn, parameters)
    made: dict[str, Any] = {}
    layout = tuple(Slot(p.name, p.kind, p.name in markers) for p in parameters)
    exec(compile_wrapper(_kind(fn), layout), namespaces[0], made)  # noqa: S102  # our own source: see codegen
    wrapper, bind = made["make"](fn, *markers)
    functools.update_wrapper(wrapper, fn)
    visible = [p for p in parameters if p.name not in markers]
    returns = _evaluate(signature.return_annotation, namespaces)
    _dress(wrapper, fn, signature.replace(parameters=visible, return_annotation=returns))
    wrapper.__injected__ = binding.register(binding.Binding(fn.__module__, fn.__qualname__, markers, bind))
    return wrapper


def _kind(fn: Any) -> WrapperKind:
    return WrapperKind(
        is_async=inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn),
        is_generator=inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn),
    )


def _evaluate(annotation: Any, namespaces: _Namespaces) -> Any:
    """The annotation as an object; a string with names that exist for type checkers alone stays a string."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, *namespaces)  # noqa: S307  # the annotation of a function of this program
    except Exception:
        return annotation


def _markers(fn: Any, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """The marker of each marked parameter.

    Raises:
        InjectionError: There is none, or one that cannot be used.
    """
    where = f"@inject on {fn.__module__}.{fn.__qualname__}()"
    markers = {p.name: marker for p in parameters if (marker := _marker(p, where)) is not None}
    if not markers:
        unread = ", ".join(p.name for p in parameters if isinstance(p.annotation, str))
        raise InjectionError(
            f"{where}: no parameter is marked",
            why=f"annotations that cannot be evaluated: {unread}" if unread else None,
            fix='mark one, as in db: Annotated[Db, Provide["database"]], with names that exist at run time',
        )
    return markers


def _marker(parameter: inspect.Parameter, where: str) -> Any:
    annotation = getattr(parameter.annotation, "__value__", parameter.annotation)  # type Database = Annotated[...]
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    for candidate in (*metadata, parameter.default):
        if isinstance(candidate, _CLOSING) or isinstance(getattr(candidate, "dependency", None), _MARKERS):
            raise InjectionError(
                f"{where}: parameter {parameter.name!r} is marked with {type(candidate).__name__}",
                fix="mark it with Provide[...] alone: services are stopped by their container, "
                "and FastAPI does not see injected parameters",
            )
        if isinstance(candidate, _MARKERS):
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise InjectionError(f"{where}: {parameter} cannot be injected", fix="mark an ordinary parameter")
            return candidate
    if isinstance(annotation, str) and "Provide[" in annotation:
        raise InjectionError(
            f"{where}: the annotation of {parameter.name!r} cannot be evaluated: {annotation}",
            fix="import its names at run time, not under TYPE_CHECKING",
        )
    return None


def _dress(wrapper: Any, fn: Any, shown: inspect.Signature) -> None:
    """Give the wrapper the name, the defaults and the visible signature of the function."""
    wrapper.__code__ = wrapper.__code__.replace(co_name=fn.__name__, co_qualname=fn.__qualname__)
    optional = [p for p in shown.parameters.values() if p.default is not p.empty]
    wrapper.__defaults__ = tuple(p.default for p in optional if p.kind is not p.KEYWORD_ONLY)
    wrapper.__kwdefaults__ = {p.name: p.default for p in optional if p.kind is p.KEYWORD_ONLY}
    wrapper.__signature__ = shown
    hints = {p.name: p.annotation for p in shown.parameters.values()} | {"return": shown.return_annotation}
    wrapper.__annotations__ = {name: hint for name, hint in hints.items() if hint is not inspect.Parameter.empty}
