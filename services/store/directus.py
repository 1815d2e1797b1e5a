"""A remote store with the API of Directus: collections of components and tags, webhooks for downloads and likes."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, Self

import msgspec
import orjson
from msgspec import UNSET

from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import Caller, Edit, Publication
from bedplate.services.store.directus_query import FIELDS, component_of, filter_of, sort_of
from bedplate.services.store.documents import canonical, digest_of, summary_of
from bedplate.services.store.errors import (
    ComponentNotFoundError,
    InvalidComponentError,
    StoreCapabilityError,
    StoreKeyRefusedError,
    StoreUnavailableError,
)
from bedplate.services.store.models import Component, Download, Likes, Page, Query, Tag, Version, Which
from bedplate.services.store.remote_client import RemoteClient
from bedplate.services.store.remote_exchange import Answer, Call
from bedplate.services.store.remote_settings import client_of
from bedplate.services.telemetry import TelemetryService

__all__ = ["DirectusStore"]

_COMPONENTS: Final = "/items/components"
_MOST_LIKES: Final = 10_000
_NO_VERSIONS: Final = "keeps no versions"

_log = get_logger("bedplate.store")


class DirectusStore:
    """Calls a Directus with a token that the user has there. It keeps no versions, and no namespaced ids.

    Args:
        client: Makes the calls.
        download_webhook: Address that counts downloads; None: they are not counted.
        like_webhook: Address that likes, or likes no longer; None: nothing can be liked.
    """

    name = "directus"
    needs_key = True
    public_reads = True

    def __init__(self, client: RemoteClient, *, download_webhook: str | None, like_webhook: str | None) -> None:
        self._client = client
        self._download_webhook = download_webhook
        self._like_webhook = like_webhook

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
        values = settings.values.store
        return cls(
            client_of(settings, telemetry, cache, http, lambda key: {"Authorization": f"Bearer {key}"}),
            download_webhook=values.remote_download_webhook,
            like_webhook=values.remote_like_webhook,
        )

    async def publish(self, caller: Caller, new: Publication) -> Component:
        """See ``StoreBackend.publish``."""
        if new.version is not None:
            raise StoreCapabilityError(_NO_VERSIONS)
        values = {name: getattr(new, name) for name in new.__struct_fields__}
        made = await self._call(caller, "POST", _COMPONENTS, body=await self._body(caller, values))
        with self._client.reading():
            component_id = uuid.UUID(made["data"]["id"])
        return await self._one(caller, component_id)

    async def edit(self, caller: Caller, component_id: uuid.UUID, edit: Edit) -> Component:
        """See ``StoreBackend.edit``."""
        if edit.version is not UNSET and edit.version is not None:
            raise StoreCapabilityError(_NO_VERSIONS)
        await self._own(caller, component_id)
        changes = {name: value for name in edit.__struct_fields__ if (value := getattr(edit, name)) is not UNSET}
        body = await self._body(caller, changes)
        await self._call(caller, "PATCH", f"{_COMPONENTS}/{component_id}", body=body)
        return await self._one(caller, component_id)

    async def delete(self, caller: Caller, component_id: uuid.UUID) -> None:
        """See ``StoreBackend.delete``."""
        await self._own(caller, component_id)
        await self._call(caller, "DELETE", f"{_COMPONENTS}/{component_id}")

    async def search(self, caller: Caller, query: Query) -> Page:
        """See ``StoreBackend.search``."""
        tags = await self._known_tags(caller, query.tags)
        condition = filter_of(query, tags or (), known=caller.key is not None)
        if tags is None or condition is None:
            return Page(items=(), total=0)
        params = {
            "page": query.page,
            "limit": query.limit,
            "fields": FIELDS,
            "meta": "filter_count",
            "sort": sort_of(query),
            "filter": orjson.dumps(condition).decode(),
        }
        found = await self._call(caller, "GET", _COMPONENTS, params=params)
        with self._client.reading():
            ids = [str(item["id"]) for item in found["data"]]
        liked = await self._liked_of(caller, ids) if ids else set()
        with self._client.reading():
            items = tuple(component_of(item, liked) for item in found["data"])
            return Page(items=items, total=int(found["meta"]["filter_count"]))

    async def versions(self, caller: Caller, component_id: uuid.UUID) -> Sequence[Version]:
        """Refused: there are none."""
        raise StoreCapabilityError(_NO_VERSIONS)

    async def download(self, caller: Caller, component_id: uuid.UUID, which: Which) -> Download:
        """See ``StoreBackend.download``; the digest is that of what arrived."""
        if which.version is not None:
            raise StoreCapabilityError(_NO_VERSIONS)
        params = {"fields": "id,name,description,data,is_component,metadata"}
        found = await self._call(caller, "GET", f"{_COMPONENTS}/{component_id}", params=params)
        with self._client.reading():
            item = msgspec.convert(found["data"], dict[str, Any])
            data = msgspec.convert(item["data"], dict[str, Any])
            got = Download(
                id=uuid.UUID(item["id"]),
                name=item["name"],
                description=item["description"],
                data=data,
                is_component=bool(item["is_component"]),
                summary=item["metadata"] or summary_of(data),
                version=None,
                digest=digest_of(canonical(data)),
            )
        await self._count(caller, component_id)
        return got

    async def yank(self, caller: Caller, component_id: uuid.UUID, version: str, reason: str | None) -> Version:
        """Refused: there are no versions."""
        raise StoreCapabilityError(_NO_VERSIONS)

    async def restore(self, caller: Caller, component_id: uuid.UUID, version: str) -> Version:
        """Refused: there are no versions."""
        raise StoreCapabilityError(_NO_VERSIONS)

    async def tags(self, caller: Caller | None) -> Sequence[Tag]:
        """See ``StoreBackend.tags``."""
        found = await self._call(caller, "GET", "/items/tags", params={"fields": "id,name", "limit": -1})
        with self._client.reading():
            tags = msgspec.convert(found["data"], list[Tag])
        return sorted(tags, key=lambda tag: (tag.name.casefold(), tag.id))

    async def liked(self, caller: Caller) -> Sequence[Likes]:
        """See ``StoreBackend.liked``."""
        page = await self.search(caller, Query(liked=True, limit=_MOST_LIKES))
        return [Likes(component_id=item.id, likes=item.likes, liked=True) for item in page.items]

    async def like(self, caller: Caller, component_id: uuid.UUID, liked: bool | None) -> Likes:
        """See ``StoreBackend.like``; the webhook goes back and forth, so the state is asked for first."""
        if self._like_webhook is None:
            raise StoreCapabilityError("has no webhook for likes: BEDPLATE_STORE__REMOTE_LIKE_WEBHOOK is not set")
        before = await self._one(caller, component_id)
        if liked is None or liked != before.liked:
            await self._call(caller, "POST", self._like_webhook, body={"component_id": str(component_id)})
        after = await self._one(caller, component_id)
        return Likes(component_id=component_id, likes=after.likes, liked=bool(after.liked))

    async def check_key(self, caller: Caller) -> bool:
        """See ``StoreBackend.check_key``."""
        try:
            answer = await self._client.call(caller, Call(method="GET", path="/users/me", params={"fields": "id"}))
        except StoreKeyRefusedError:
            return False
        with self._client.reading():
            return answer.status == 200 and "id" in answer.json["data"]

    async def check(self) -> str | None:
        """See ``StoreBackend.check``; asks nobody."""
        return self._client.trouble()

    async def _one(self, caller: Caller, component_id: uuid.UUID) -> Component:
        page = await self.search(caller, Query(component=str(component_id), limit=1))
        if not page.items:
            raise ComponentNotFoundError
        return page.items[0]

    async def _own(self, caller: Caller, component_id: uuid.UUID) -> None:
        """Who may change what is for the store to say; that what others own is missing, is not."""
        if not (await self.search(caller, Query(component=str(component_id), own=True, limit=1))).items:
            raise ComponentNotFoundError

    async def _liked_of(self, caller: Caller, ids: Sequence[str]) -> set[str] | None:
        """Which of these the caller likes; None where nobody knows who the caller is."""
        if caller.key is None:
            return None
        condition = {"_and": [{"id": {"_in": list(ids)}}, filter_of(Query(liked=True), (), known=True)]}
        params = {"fields": "id", "limit": len(ids), "filter": orjson.dumps(condition).decode()}
        found = await self._call(caller, "GET", _COMPONENTS, params=params)
        with self._client.reading():
            return {str(item["id"]) for item in found["data"]}

    async def _count(self, caller: Caller, component_id: uuid.UUID) -> None:
        if self._download_webhook is None:
            return
        try:
            await self._call(caller, "POST", self._download_webhook, body={"component_id": str(component_id)})
        except (StoreUnavailableError, InvalidComponentError, ComponentNotFoundError, StoreKeyRefusedError) as error:
            # A statistic is not worth a download.
            _log.warning("a download could not be counted", component_id=str(component_id), error=error)

    async def _body(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        body = {name: value for name, value in values.items() if name not in ("document", "tags", "version")}
        if "document" in values:
            body["data"] = values["document"].data
            body["metadata"] = values["document"].summary
        if "tags" in values:
            tags = await self._known_tags(caller, values["tags"])
            if tags is None:
                raise InvalidComponentError(
                    "the remote store has no such tag", fix="use the tags that it offers, by name or id"
                )
            body["tags"] = [{"tags_id": str(tag_id)} for tag_id in tags]
        return body

    async def _known_tags(self, caller: Caller, tags: Sequence[str]) -> list[uuid.UUID] | None:
        """The ids of tags given by name or id; None if there is one that the store has not."""
        if not tags:
            return []
        known = await self.tags(caller)
        ids = {tag.name.casefold(): tag.id for tag in known} | {str(tag.id): tag.id for tag in known}
        found = [ids.get(tag.casefold()) for tag in tags]
        return None if None in found else list(dict.fromkeys(id_ for id_ in found if id_ is not None))

    async def _call(
        self,
        caller: Caller | None,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        call = Call(method=method, path=path, params=params, body=body, kept=method == "GET")
        answer = await self._client.call(caller, call)
        if answer.status >= 400:
            _refuse(answer, by_id=path.startswith(f"{_COMPONENTS}/"))
        return answer.json


def _refuse(answer: Answer, *, by_id: bool) -> NoReturn:
    """Raise what an answer with a status of 400 to 499 means.

    For what is missing, and for what is not the caller's, a Directus answers 403 alike.
    """
    if answer.status == 404 or (answer.status == 403 and by_id):
        raise ComponentNotFoundError
    if answer.status == 403:
        raise StoreKeyRefusedError
    raise InvalidComponentError(f"the remote store refuses this with {answer.status}")
