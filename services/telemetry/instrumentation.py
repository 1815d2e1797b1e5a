"""The one wrapper around every public operation of every service, put there when a container starts.

An object gets a class of its own, a subclass of the one that it had, whose public methods are those of that class
between the two halves of a probe. So ``isinstance``, ``inspect.signature`` and what the methods are (a coroutine
function, an asynchronous generator, a context manager) stay as they were, and without telemetry there is nothing.
"""

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from typing import Any

from bedplate.services.base import Service
from bedplate.services.logs import get_logger
from bedplate.services.telemetry.operations import Kind, Probe

__all__ = ["Instrumentation"]

_log = get_logger("bedplate.telemetry")

_LIFECYCLE = frozenset(name for name in vars(Service) if not name.startswith("_"))
Method = Callable[..., Any]
_PLAIN = type(lambda: None)


class Instrumentation:
    """Puts probes around the operations of services, and takes them away again.

    Args:
        probe: Gives the probe of an operation, by service and operation, and what its method is.
    """

    def __init__(self, probe: Callable[[str, str, Kind], Probe]) -> None:
        self._probe = probe
        self._classes: dict[tuple[type, str, str, frozenset[str]], type] = {}
        self._before: dict[int, tuple[Any, type]] = {}

    def add(self, name: str, service: Service) -> None:
        """Watch the public operations of a service and its parts; does nothing for one that is watched.

        Args:
            name: What the service is called.
            service: The service; what it makes later on is watched too.
        """
        if id(service) in self._before:
            return
        service.on_part(functools.partial(self._swap, name))
        self._swap(name, "", service)
        for prefix, part in service.parts():
            self._swap(name, prefix, part)

    def remove_all(self) -> None:
        """Give every object its own class back."""
        for one, cls in self._before.values():
            if isinstance(one, Service):
                one.on_part(None)
            one.__class__ = cls
        self._before.clear()

    def _swap(self, name: str, prefix: str, one: Any) -> None:
        cls = type(one)
        if id(one) in self._before:
            return
        # What an object has in place of a method is not reached through its class.
        own = getattr(one, "__dict__", ())
        shadowed = {attribute for attribute in own if type(getattr(cls, attribute, None)) is _PLAIN}
        uncounted = getattr(cls, "uncounted", frozenset[str]()) | shadowed
        key = cls, name, prefix, uncounted
        try:
            if key not in self._classes:
                self._classes[key] = self._instrumented(cls, name, f"{prefix}." if prefix else "", uncounted)
            one.__class__ = self._classes[key]
        except TypeError as error:  # a class of somebody's that has no subclasses, or whose objects keep theirs
            _log.warning(
                "the operations of a service cannot be counted",
                service=name,
                error=error,
                fix="let its class be subclassed, or set BEDPLATE_TELEMETRY__OPERATIONS=false",
            )
        else:
            self._before[id(one)] = one, cls

    def _instrumented(self, cls: type, service: str, prefix: str, uncounted: Collection[str]) -> type:
        members: dict[str, Any] = {
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
            "__slots__": (),
        }
        for name, method in _methods(cls, uncounted):
            kind = _kind_of(method)
            members[name] = _wrapped(method, kind, self._probe(service, prefix + name, kind))
        return type(cls)(cls.__name__, (cls,), members)


def _methods(cls: type, uncounted: Collection[str]) -> list[tuple[str, Method]]:
    """The public methods of a class that are operations, by name, as they are found."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is not Service and base is not object:
            found.update(vars(base))
    return [
        (name, member)
        for name, member in found.items()
        if type(member) is _PLAIN and not name.startswith("_") and name not in _LIFECYCLE and name not in uncounted
    ]


def _kind_of(method: Method) -> Kind:
    # The flags themselves: asking inspect for each of some hundred methods would be a part of the start.
    flags = method.__code__.co_flags
    if flags & inspect.CO_COROUTINE:
        return "coroutine"
    if flags & inspect.CO_ASYNC_GENERATOR:
        return "stream"
    wraps_generator = hasattr(method, "__wrapped__") and inspect.isasyncgenfunction(inspect.unwrap(method))
    return "block" if wraps_generator else "call"


def _wrapped(method: Method, kind: Kind, probe: Probe) -> Method:
    wrapper: Any = _WRAPPERS[kind](method, probe)
    # What functools.wraps() does, at a fifth of its cost, which some hundred methods make a part of the start.
    wrapper.__module__, wrapper.__name__, wrapper.__qualname__ = method.__module__, method.__name__, method.__qualname__
    wrapper.__doc__, wrapper.__wrapped__ = method.__doc__, method
    return wrapper  # type: ignore[no-any-return]  # it is what it was made as


def _call(method: Method, probe: Probe) -> Method:
    enter, leave = probe.enter, probe.leave

    def operation(*args: Any, **kwargs: Any) -> Any:
        call = enter()
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            leave(call, error)
            raise
        leave(call, None)
        return result

    return operation


def _coroutine(method: Method, probe: Probe) -> Method:
    enter, leave = probe.enter, probe.leave

    async def operation(*args: Any, **kwargs: Any) -> Any:
        call = enter()
        try:
            result = await method(*args, **kwargs)
        except BaseException as error:
            leave(call, error)
            raise
        leave(call, None)
        return result

    return operation


def _block(method: Method, probe: Probe) -> Method:
    @contextlib.asynccontextmanager
    async def operation(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call = probe.enter()
        try:
            async with method(*args, **kwargs) as value:
                yield value
        except BaseException as error:
            probe.leave(call, error)
            raise
        probe.leave(call, None)

    return operation


def _generator(method: Method, probe: Probe) -> Method:
    async def operation(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = probe.enter()
        try:
            async with contextlib.aclosing(method(*args, **kwargs)) as items:
                item = await anext(items)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await items.athrow(error)
                    else:
                        item = await items.asend(sent)
        except StopAsyncIteration:
            probe.leave(call, None)
        except GeneratorExit:
            probe.leave(call, None)  # whoever reads has read enough
            raise
        except BaseException as error:
            probe.leave(call, error)
            raise

    return operation


_WRAPPERS: dict[Kind, Callable[[Method, Probe], Method]] = {
    "call": _call,
    "coroutine": _coroutine,
    "block": _block,
    "stream": _generator,
}
