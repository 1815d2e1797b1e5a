"""Secrets by name: the calls to the Kubernetes API, and changes that are made again when another was quicker."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakValueDictionary

import aiohttp
import msgspec

from bedplate.services.engines.kubernetes import KubernetesApiError, KubernetesClient, KubernetesEngine
from bedplate.services.engines.kubernetes_config import KubernetesAddress
from bedplate.services.errors import ConflictError
from bedplate.services.schema import ServiceType
from bedplate.services.variable.errors import VariableStoreError, VariableStoreSettingError
from bedplate.services.variable.kubernetes_errors import typed_errors

__all__ = ["Metadata", "Secret", "Secrets"]

_PAGE: Final = 500
_ATTEMPTS: Final = 20
_BUSY: Final = {429, 500, 502, 503, 504}
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_MERGE: Final = "application/merge-patch+json"


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What a Secret says of itself beside its content."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Secret(msgspec.Struct, frozen=True):
    """A Secret; in a list of metadata, without its content."""

    metadata: Metadata
    data: dict[str, bytes] = {}


class Wanted(msgspec.Struct, frozen=True):
    """What a Secret is to hold; no entries: it is to be deleted.

    Attributes:
        data: Its entries.
        annotations: Its annotations; None takes one away.
    """

    data: Mapping[str, bytes]
    annotations: Mapping[str, str | None]


class _More(msgspec.Struct, frozen=True, rename={"token": "continue"}):
    token: str = ""


class _Page(msgspec.Struct, frozen=True):
    items: list[Secret] = []
    metadata: _More = _More()


class Secrets:
    """The Secrets of one installation in one namespace.

    Args:
        engine: Has the clients.
        address: Where the API is.
        namespace: The namespace; empty: that of the surroundings.
        labels: Labels of every Secret.
        retries: How often a call that got no answer is made again.
    """

    def __init__(
        self,
        engine: KubernetesEngine,
        address: KubernetesAddress,
        *,
        namespace: str,
        labels: Mapping[str, str],
        retries: int,
    ) -> None:
        self._engine = engine
        self._address = address
        self._namespace = namespace
        self._labels = labels
        self._retries = retries
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, name: str) -> Secret | None:
        """The Secret of this name."""
        try:
            return msgspec.json.decode(await self._call("GET", f"/{name}"), type=Secret)
        except _MissingError:
            return None

    async def metadata(self, selector: str) -> AsyncIterator[Metadata]:
        """What the Secrets with these labels say of themselves, in the order of their names, page by page."""
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        last, forgotten = "", 0
        while True:
            try:
                page = msgspec.json.decode(await self._call("GET", "", query=query, accept=_METADATA), type=_Page)
            except _ExpiredError as error:
                if (forgotten := forgotten + 1) > _ATTEMPTS:
                    raise VariableStoreError(
                        "the Kubernetes API forgets lists before they are read", fix="look at the load of its etcd"
                    ) from error
                query.pop("continue", None)  # from the beginning, without what has been seen
                continue
            for item in page.items:
                if item.metadata.name > last:
                    last = item.metadata.name
                    yield item.metadata
            if not page.metadata.token:
                return
            query["continue"] = page.metadata.token

    async def change(
        self, name: str, labels: Mapping[str, str], make: Callable[[Mapping[str, bytes]], Wanted | None]
    ) -> None:
        """Change a Secret, or make or delete it.

        Args:
            name: Its name.
            labels: Labels of its own.
            make: Returns what it is to hold, of what it holds; None: nothing is to change. It is called again with what
                another has made of it meanwhile, which may be what this call wanted: an answer may have been lost.

        Raises:
            ConflictError: Others keep changing it at the same time.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:  # those of this process take turns; those of others are seen by the version
            for attempt in range(_ATTEMPTS):
                old = await self.get(name)
                wanted = make({} if old is None else old.data)
                if wanted is None or await self._write(name, labels, old, wanted):
                    return
                await asyncio.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads load
        raise ConflictError(
            "the variables of this user are being changed by others", service=ServiceType.VARIABLE, fix="try again"
        )

    async def delete(self, name: str) -> bool:
        """Delete a Secret; whether there was one."""
        try:
            await self._call("DELETE", f"/{name}")
        except _MissingError:
            return False
        return True

    async def _write(self, name: str, labels: Mapping[str, str], old: Secret | None, new: Wanted) -> bool:
        """Write what is wanted if nobody has changed what was read; whether it is written."""
        labels = {**self._labels, **labels}
        try:
            if old is None:
                if new.data:
                    await self._call("POST", "", body=_manifest(name, labels, new))
            elif not new.data:
                version = {"uid": old.metadata.uid, "resourceVersion": old.metadata.resource_version}
                options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": version}
                await self._call("DELETE", f"/{name}", body=options)
            else:
                await self._call("PATCH", f"/{name}", body=_patch(labels, old, new), content=_MERGE)
        except (_ConflictError, _MissingError):
            return False
        return True

    async def _call(self, method: str, path: str, **arguments: Any) -> bytes:
        with typed_errors(self._namespace, "its address"):
            client = await self._engine.client(self._address)
        namespace = self._namespace or client.namespace
        if not namespace:
            raise VariableStoreSettingError(
                "it is not known in which namespace the Secrets are", fix="set BEDPLATE_VARIABLE__KUBERNETES_NAMESPACE"
            )
        with typed_errors(namespace, client.server), _outcomes(named=bool(path)):
            return await self._patiently(client, method, f"/api/v1/namespaces/{namespace}/secrets{path}", **arguments)

    async def _patiently(self, client: KubernetesClient, method: str, path: str, **arguments: Any) -> bytes:
        """Call, and call again where there was no answer: every change is bound to the version that it replaces."""
        for attempt in range(self._retries + 1):
            try:
                return await client.call(method, path, **arguments)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, KubernetesApiError) as error:
                busy = not isinstance(error, KubernetesApiError) or error.status in _BUSY
                if not busy or attempt == self._retries:
                    raise
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2**attempt)  # noqa: S311 - spreads load
        raise AssertionError  # pragma: no cover - the last attempt returns or raises


class _MissingError(Exception):
    """There is no such Secret."""


class _ConflictError(Exception):
    """It was changed meanwhile, or is there already."""


class _ExpiredError(Exception):
    """The page belongs to a list that the server has forgotten."""


@contextmanager
def _outcomes(*, named: bool) -> Iterator[None]:
    """Tell what is no error here from what is one; only what was named can be missing."""
    try:
        yield
    except KubernetesApiError as error:
        outcome = {404: _MissingError, 409: _ConflictError, 410: _ExpiredError}.get(error.status)
        # An answer without a reason is not that of an API server.
        if outcome is None or not error.reason or (outcome is _MissingError and not named):
            raise
        raise outcome from error


def _manifest(name: str, labels: Mapping[str, str], new: Wanted) -> dict[str, Any]:
    annotations = {key: value for key, value in new.annotations.items() if value is not None}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "labels": dict(labels), "annotations": annotations},
        "data": {key: _text(value) for key, value in new.data.items()},
    }


def _patch(labels: Mapping[str, str], old: Secret, new: Wanted) -> dict[str, Any]:
    """What differs (RFC 7396), bound to the version that was read."""
    changed: dict[str, str | None] = {
        key: _text(value) for key, value in new.data.items() if old.data.get(key) != value
    }
    changed |= dict.fromkeys(old.data.keys() - new.data.keys())
    version = old.metadata.resource_version
    metadata = {"resourceVersion": version, "labels": dict(labels), "annotations": dict(new.annotations)}
    return {"metadata": metadata, "data": changed}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
