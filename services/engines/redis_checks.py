"""What the doctor looks at on behalf of the Redis servers that services share."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check, is_public
from bedplate.services.engines.redis_url import RedisAddress, RedisURLError
from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType

if TYPE_CHECKING:
    from bedplate.services.engines.redis import RedisEngine

__all__ = ["CHECKS"]

_MAY_LOSE: Final = frozenset({ServiceType.CACHE, ServiceType.SHARED_COMPONENT_CACHE})
"""Services that do without what a server has evicted."""
_APART: Final = 1.0
"""Seconds by which clocks may differ."""


@check("redis.unreachable", Severity.ERROR, "Every Redis server answers, and lets each service in")
async def _unreachable(engine: "RedisEngine", around: Surroundings) -> Iterable[Trouble]:
    troubles = []
    for service in _users(around):
        try:
            async with _client(engine, service, around) as client:
                await client.ping()
        except BedplateError as error:
            troubles.append(Trouble(f"{service}: {error.what} ({error.why})", error.fix or "look at the server"))
    return troubles


@check("redis.evicts", Severity.ERROR, "A Redis server evicts nothing but what a cache can do without")
async def _evicts(engine: "RedisEngine", around: Surroundings) -> Iterable[Trouble]:
    troubles = []
    for services in _servers(engine, around).values():
        memory = await _info(engine, services[0], around, "memory")
        policy, limit = memory.get("maxmemory_policy", ""), int(memory.get("maxmemory", 0))
        kept = [service for service in services if service not in _MAY_LOSE]
        masked = engine.address(services[0]).masked
        if kept and limit and policy != "noeviction":
            troubles.append(
                Trouble(
                    f"{masked} evicts under the policy {policy}, and has what {', '.join(kept)} must not lose",
                    "set maxmemory-policy noeviction at this server, and BEDPLATE_CACHE__REDIS_URL to another one",
                )
            )
        elif not kept and ServiceType.CACHE in services and limit and policy == "noeviction":
            troubles.append(
                Trouble(
                    f"{masked} takes no more values of the cache once its {limit} bytes are full",
                    "set maxmemory-policy allkeys-lru at this server",
                    severity=Severity.WARNING,
                )
            )
        elif ServiceType.CACHE in services and memory and not limit:
            troubles.append(
                Trouble(
                    f"nothing bounds what the cache keeps at {masked}",
                    "set maxmemory at this server, with the policy allkeys-lru if nothing but the cache is there",
                    severity=Severity.WARNING,
                )
            )
    return troubles


@check("redis.plaintext", Severity.WARNING, "Passwords travel to other machines over TLS only")
def _plaintext(engine: "RedisEngine", around: Surroundings) -> Iterator[Trouble]:
    for services in _servers(engine, around).values():
        address = engine.address(services[0])
        parts = urlsplit(address.url)
        if parts.scheme == "redis" and parts.password and is_public(parts.hostname or ""):
            yield Trouble(
                f"the password of {address.masked} is sent as it is, for {', '.join(services)}",
                f"write {address.setting} with rediss://, if the server speaks TLS",
            )


@check("redis.cluster", Severity.ERROR, "A Redis server is one, or a primary with replicas, and no Redis Cluster")
async def _cluster(engine: "RedisEngine", around: Surroundings) -> Iterable[Trouble]:
    troubles = []
    for services in _servers(engine, around).values():
        if (await _info(engine, services[0], around, "cluster")).get("cluster_enabled"):
            masked = engine.address(services[0]).masked
            what = f"{masked} is a node of a Redis Cluster, whose keys are apart: what uses several at once fails"
            troubles.append(Trouble(what, "use a server without cluster mode: one, or a primary with replicas"))
    return troubles


@check("redis.clock-differs", Severity.ERROR, "The clock of this process is that of the Redis servers, within a second")
async def _clock(engine: "RedisEngine", around: Surroundings) -> Iterable[Trouble]:
    troubles = []
    for services in _servers(engine, around).values():
        with suppress(BedplateError):  # which another check reports
            async with _client(engine, services[0], around) as client:
                before = time.time()
                seconds, micros = await client.time()
                after = time.time()
            there = seconds + micros / 1e6
            apart = max(before - there, there - after)  # at least, however long the answer took
            if apart > _APART:
                how = "ahead of" if before > there else "behind"
                what = f"the clock here is {apart:.0f} s {how} that of {engine.address(services[0]).masked}, and "
                what += "whoever is ahead takes other processes for dead, whose jobs and tasks end"
                troubles.append(Trouble(what, "have all machines take the time from NTP"))
    return troubles


def _users(around: Surroundings) -> Iterator[ServiceType]:
    """The services whose data is at a Redis server."""
    for service in ServiceType:
        backend = around.backends.get(service)
        if backend is None:
            continue
        group: Any = getattr(around.values, service)
        asked = any(need.engine == "redis" and getattr(group, need.setting) == need.value for need in backend.may_need)
        brokered = service is ServiceType.TASK and backend.name == "celery" and group.broker_url is None
        if "redis" in backend.needs or asked or brokered:
            yield service


def _servers(engine: "RedisEngine", around: Surroundings) -> Mapping[str, list[ServiceType]]:
    """Those services by the server that they use, whatever the number of their database."""
    servers: dict[str, list[ServiceType]] = {}
    for service in _users(around):
        with suppress(RedisURLError):  # which another check reports
            servers.setdefault(_server(engine.address(service)), []).append(service)
    return servers


def _server(address: RedisAddress) -> str:
    parts = urlsplit(address.masked)
    return parts.path if parts.scheme == "unix" else parts.netloc


async def _info(engine: "RedisEngine", service: ServiceType, around: Surroundings, section: str) -> Mapping[str, Any]:
    """What a server says of itself; nothing if it cannot be asked, which is another check's business."""
    try:
        async with _client(engine, service, around) as client:
            found: Mapping[str, Any] = await client.info(section)
            return found
    except BedplateError:
        return {}


@asynccontextmanager
async def _client(engine: "RedisEngine", service: ServiceType, around: Surroundings) -> AsyncIterator[Any]:
    """A client of the engine, which is started for this alone if it is not."""
    if around.started:
        with engine.typed_errors(service):
            yield engine.client(service)
        return
    own = type(engine)(around.settings)
    await own.start()
    try:
        with own.typed_errors(service):
            yield own.client(service)
    finally:
        await own.stop()


CHECKS: tuple[Check, ...] = (_unreachable, _evicts, _plaintext, _cluster, _clock)
