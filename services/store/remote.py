"""The catalogue of another Bedplate, over its REST API."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import msgspec
from msgspec import UNSET

from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import Caller, Edit, Publication
from bedplate.services.store.errors import ComponentNotFoundError, StoreKeyRefusedError
from bedplate.services.store.models import Component, Download, Likes, Page, Query, Sort, Tag, Version, Which
from bedplate.services.store.remote_client import RemoteClient
from bedplate.services.store.remote_errors import raise_refusal
from bedplate.services.store.remote_exchange import Call
from bedplate.services.store.remote_settings import client_of
from bedplate.services.telemetry import TelemetryService

__all__ = ["RemoteStore"]

_ROOT = "/api/v1/store"
_SORTS: Mapping[Sort, str] = {
    Sort.NAME: "name",
    Sort.CREATED: "date_created",
    Sort.UPDATED: "date_updated",
    Sort.DOWNLOADS: "downloads_count",
    Sort.LIKES: "liked_by_count",
}


class RemoteStore:
    """Calls another Bedplate with an API key that its user has there; what may be done is for that one to say.

    Args:
        client: Makes the calls.
    """

    name = "remote"
    needs_key = True
    public_reads = False

    def __init__(self, client: RemoteClient) -> None:
        self._client = client

    @classmethod
    def from_settings(
        cls,
        settings: SettingsService,
        telemetry: TelemetryService,
        _database: DatabaseService,
        cache: CacheService,
        *,
        http: HttpEngine,
    ) -> Self:
        """The store at ``remote_url``.

        Raises:
            ConfigurationError: The address is missing, or is none.
        """
        return cls(client_of(settings, telemetry, cache, http, _headers))

    async def publish(self, caller: Caller, new: Publication) -> Component:
        """See ``StoreBackend.publish``."""
        values = {name: getattr(new, name) for name in new.__struct_fields__}
        made = await self._call(caller, "POST", "/components/", body=_body(values))
        with self._client.reading():
            component_id = uuid.UUID(made["id"])
        return await self._one(caller, component_id)

    async def edit(self, caller: Caller, component_id: uuid.UUID, edit: Edit) -> Component:
        """See ``StoreBackend.edit``."""
        changes = {name: value for name in edit.__struct_fields__ if (value := getattr(edit, name)) is not UNSET}
        await self._call(caller, "PATCH", f"/components/{component_id}", body=_body(changes))
        return await self._one(caller, component_id)

    async def delete(self, caller: Caller, component_id: uuid.UUID) -> None:
        """See ``StoreBackend.delete``."""
        await self._call(caller, "DELETE", f"/components/{component_id}")

    async def search(self, caller: Caller, query: Query) -> Page:
        """See ``StoreBackend.search``."""
        params: dict[str, Any] = {
            "component_id": query.component,
            "search": query.text,
            "private": query.private,
            "is_component": query.is_component,
            "tags": ",".join(query.tags) or None,
            "sort": ",".join(f"{'-' if down else ''}{_SORTS[key]}" for key, down in query.sort) or None,
            "liked": query.liked,
            "filter_by_user": query.own,
            "page": query.page,
            "limit": query.limit,
        }
        found = await self._call(caller, "GET", "/components/", params=_given(params))
        with self._client.reading():
            return Page(items=tuple(map(_component, found["results"])), total=int(found["count"]))

    async def versions(self, caller: Caller, component_id: uuid.UUID) -> Sequence[Version]:
        """See ``StoreBackend.versions``."""
        found = await self._call(caller, "GET", f"/components/{component_id}/versions")
        with self._client.reading():
            return msgspec.convert(found, list[Version])

    async def download(self, caller: Caller, component_id: uuid.UUID, which: Which) -> Download:
        """See ``StoreBackend.download``."""
        params = {"version": which.version, "digest": which.digest, "yanked": which.yanked}
        found = await self._call(caller, "GET", f"/components/{component_id}", params=_given(params))
        with self._client.reading():
            return msgspec.convert({**found, "summary": found["metadata"]}, Download)

    async def yank(self, caller: Caller, component_id: uuid.UUID, version: str, reason: str | None) -> Version:
        """See ``StoreBackend.yank``."""
        return await self._mark(caller, "POST", component_id, version, {"reason": reason})

    async def restore(self, caller: Caller, component_id: uuid.UUID, version: str) -> Version:
        """See ``StoreBackend.restore``."""
        return await self._mark(caller, "DELETE", component_id, version, None)

    async def tags(self, caller: Caller | None) -> Sequence[Tag]:
        """See ``StoreBackend.tags``."""
        found = await self._call(caller, "GET", "/tags" if caller is None else "/users/tags")
        with self._client.reading():
            return msgspec.convert(found, list[Tag])

    async def liked(self, caller: Caller) -> Sequence[Likes]:
        """See ``StoreBackend.liked``."""
        found = await self._call(caller, "GET", "/users/likes")
        with self._client.reading():
            return [_likes(item) for item in found]

    async def like(self, caller: Caller, component_id: uuid.UUID, liked: bool | None) -> Likes:
        """See ``StoreBackend.like``."""
        method = "POST" if liked is None else "PUT" if liked else "DELETE"
        found = await self._call(caller, method, f"/users/likes/{component_id}")
        with self._client.reading():
            return _likes(found)

    async def check_key(self, caller: Caller) -> bool:
        """See ``StoreBackend.check_key``."""
        try:
            await self._call(caller, "GET", "/check/api_key")
        except StoreKeyRefusedError:
            return False
        return True

    async def check(self) -> str | None:
        """See ``StoreBackend.check``; asks nobody."""
        return self._client.trouble()

    async def _mark(
        self, caller: Caller, method: str, component_id: uuid.UUID, version: str, body: Mapping[str, Any] | None
    ) -> Version:
        path = f"/components/{component_id}/versions/{quote(version, safe='')}/yank"
        found = await self._call(caller, method, path, body=body)
        with self._client.reading():
            return msgspec.convert(found, Version)

    async def _one(self, caller: Caller, component_id: uuid.UUID) -> Component:
        page = await self.search(caller, Query(component=str(component_id), limit=1))
        if not page.items:
            raise ComponentNotFoundError
        return page.items[0]

    async def _call(
        self,
        caller: Caller | None,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        call = Call(method=method, path=_ROOT + path, params=params, body=body, kept=method == "GET")
        answer = await self._client.call(caller, call)
        if answer.status >= 400:
            raise_refusal(answer)
        return answer.json


def _headers(key: str) -> Mapping[str, str]:
    # Callers that keep keys of their own need not save another one over there.
    return {"x-api-key": key, "x-store-key": "kept-by-the-caller"}


def _body(values: Mapping[str, Any]) -> dict[str, Any]:
    """The body that publishes or changes these fields of a ``Publication`` or an ``Edit``."""
    body = {name: value for name, value in values.items() if name != "document"}
    return body | ({"data": values["document"].data} if "document" in values else {})


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _component(item: Mapping[str, Any]) -> Component:
    renamed = {
        "username": item["user_created"]["username"],
        "likes": item["liked_by_count"],
        "liked": item["liked_by_user"],
        "downloads": item["downloads_count"],
        "summary": item["metadata"],
        "created_at": item["date_created"],
        "updated_at": item["date_updated"],
    }
    return msgspec.convert({**item, **renamed}, Component)


def _likes(item: Mapping[str, Any]) -> Likes:
    return Likes(
        component_id=uuid.UUID(item["component_id"]), likes=int(item["likes_count"]), liked=bool(item["liked_by_user"])
    )
