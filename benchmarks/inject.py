"""A call of an injected function, against the fastest peer, with others shown beside."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

import wireup
from dependency_injector import wiring
from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import ThreadSafeSingleton as Singleton
from dishka import AsyncContainer, Container, FromDishka, Provider, Scope, make_async_container, make_container
from dishka.integrations.base import wrap_injection
from wireup import Injected

from bedplate.containers import ServiceContainer
from bedplate.wiring import inject
from benchmarks.harness import Aim, Row, ratio

__all__ = ["rows"]

_CALLS = 30_000


class A: ...


class B: ...


class C: ...


class D: ...


class E: ...


_ALL = (A, B, C, D, E)

OurA = Annotated[A, wiring.Provide["a"]]
OurB = Annotated[B, wiring.Provide["b"]]
OurC = Annotated[C, wiring.Provide["c"]]
OurD = Annotated[D, wiring.Provide["d"]]
OurE = Annotated[E, wiring.Provide["e"]]


class Ours(ServiceContainer):
    a, b, c, d, e = Singleton(A), Singleton(B), Singleton(C), Singleton(D), Singleton(E)


class Stock(DeclarativeContainer):
    a, b, c, d, e = Singleton(A), Singleton(B), Singleton(C), Singleton(D), Singleton(E)


@inject
def our_sync_1(x: int, a: OurA) -> int:
    return x


@inject
def our_sync_5(x: int, a: OurA, b: OurB, c: OurC, d: OurD, e: OurE) -> int:
    return x


@inject
async def our_async_1(x: int, a: OurA) -> int:
    return x


@inject
async def our_async_5(x: int, a: OurA, b: OurB, c: OurC, d: OurD, e: OurE) -> int:
    return x


@wiring.inject
def stock_sync_1(x: int, a: OurA) -> int:
    return x


@wiring.inject
def stock_sync_5(x: int, a: OurA, b: OurB, c: OurC, d: OurD, e: OurE) -> int:
    return x


@wiring.inject
async def stock_async_1(x: int, a: OurA) -> int:
    return x


@wiring.inject
async def stock_async_5(x: int, a: OurA, b: OurB, c: OurC, d: OurD, e: OurE) -> int:
    return x


def wired_1(x: int, a: Injected[A]) -> int:
    return x


def wired_5(x: int, a: Injected[A], b: Injected[B], c: Injected[C], d: Injected[D], e: Injected[E]) -> int:
    return x


async def wired_async_1(x: int, a: Injected[A]) -> int:
    return x


async def wired_async_5(x: int, a: Injected[A], b: Injected[B], c: Injected[C], d: Injected[D], e: Injected[E]) -> int:
    return x


def dished_1(x: int, a: FromDishka[A]) -> int:
    return x


def dished_5(x: int, a: FromDishka[A], b: FromDishka[B], c: FromDishka[C], d: FromDishka[D], e: FromDishka[E]) -> int:
    return x


async def dished_async_1(x: int, a: FromDishka[A]) -> int:
    return x


async def dished_async_5(
    x: int, a: FromDishka[A], b: FromDishka[B], c: FromDishka[C], d: FromDishka[D], e: FromDishka[E]
) -> int:
    return x


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Sync and async calls with one and five services."""
    module = sys.modules[__name__]
    stock, ours = Stock(), Ours()
    stock.wire(modules=[module])
    ours.wire(modules=[module])
    injectables = [wireup.injectable(kind) for kind in _ALL]
    by_wireup = wireup.inject_from_container(wireup.create_sync_container(injectables=injectables))
    wire = wireup.inject_from_container(wireup.create_async_container(injectables=injectables))
    by_dishka, dish = _dishka(make_container(_provider())), _dishka(make_async_container(_provider()))
    for name, mine, peer, others in (
        ("sync, 1 service", our_sync_1, by_wireup(wired_1), (stock_sync_1, by_dishka(dished_1))),
        ("sync, 5 services", our_sync_5, by_wireup(wired_5), (stock_sync_5, by_dishka(dished_5))),
        ("async, 1 service", our_async_1, wire(wired_async_1), (stock_async_1, dish(dished_async_1))),
        ("async, 5 services", our_async_5, wire(wired_async_5), (stock_async_5, dish(dished_async_5))),
    ):
        timed = _timed_async if name.startswith("async") else _timed_sync
        yield _row(f"@inject call, {name}", timed, mine, peer, "wireup", Aim("≤", 0.85), runner)
        for other, against in zip(others, ("stock dependency-injector", "dishka"), strict=True):
            yield _row(f"@inject call, {name}, beside {against}", timed, mine, other, against, None, runner)
    ours.unwire()


def _row(
    name: str,
    timed: Callable[[Any], Any],
    mine: Callable[..., Any],
    peer: Callable[..., Any],
    against: str,
    aim: Aim | None,
    runner: asyncio.Runner,
) -> Row:
    return ratio(
        name, lambda: timed(mine), lambda: timed(peer), against=against, unit="ns", aim=aim, runner=runner, rounds=11
    )


def _provider() -> Provider:
    provider = Provider(scope=Scope.APP)
    for kind in _ALL:
        provider.provide(kind)
    return provider


def _dishka(container: Container | AsyncContainer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    is_async = isinstance(container, AsyncContainer)
    return lambda function: wrap_injection(
        func=function, container_getter=lambda _arguments, _options: container, is_async=is_async
    )


def _timed_sync(function: Callable[[int], int]) -> float:
    begun = time.perf_counter_ns()
    for number in range(_CALLS):
        function(number)
    return (time.perf_counter_ns() - begun) / _CALLS


async def _timed_async(function: Callable[[int], Awaitable[int]]) -> float:
    begun = time.perf_counter_ns()
    for number in range(_CALLS):
        await function(number)
    return (time.perf_counter_ns() - begun) / _CALLS
