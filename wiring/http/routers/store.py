"""The store."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from bedplate.services.auth import User
from bedplate.services.store import Changes, Component, Likes, NewComponent, Which
from bedplate.services.store import Query as Search
from bedplate.wiring import Store, inject
from bedplate.wiring.http.schemas.flows import MAX_PAGE
from bedplate.wiring.http.schemas.store import (
    CreateComponentResponse,
    DownloadComponentResponse,
    ListComponentResponseModel,
    StoreCheckResponse,
    StoreComponentCreate,
    StoreKeyResponse,
    TagResponse,
    UsersLikesResponse,
    VersionResponse,
    YankRequest,
)
from bedplate.wiring.http.security import CurrentUser
from bedplate.wiring.http.store_listing import field_of, listed, listing, sort_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/store", tags=["Components Store"])


@inject
async def user_with_store_key(user: CurrentUser, store: Store) -> User:
    """The caller, who must have saved a store key where one is needed; answers before the body is looked at."""
    await store.require_key(user.id)
    return user


StoreUser = Annotated[User, Depends(user_with_store_key)]


@router.get("/check/")
@inject
async def check_store(store: Store) -> StoreCheckResponse:
    """Whether there is a store."""
    return StoreCheckResponse(enabled=store.enabled)


@router.get("/check/api_key")
@inject
async def check_store_key(user: CurrentUser, store: Store) -> StoreKeyResponse:
    """Whether the caller has saved a store key, and whether the store takes it."""
    status = await store.key_status(user.id)
    return StoreKeyResponse(has_api_key=status.present, is_valid=status.valid)


@router.post("/components/", status_code=201)
@inject
async def publish_component(body: StoreComponentCreate, user: StoreUser, store: Store) -> CreateComponentResponse:
    """Publish a component or a flow; what its nodes hold of secrets is left out, and a secret elsewhere is refused."""
    sent = body.model_dump(exclude_none=True)
    return _made(await store.publish(user.id, NewComponent(**{**sent, "tags": tuple(body.tags or ())})))


@router.get("/components/")
@inject
async def list_components(
    user: CurrentUser,
    store: Store,
    component_id: str | None = None,
    search: str | None = None,
    private: bool | None = None,
    is_component: bool | None = None,
    tags: Annotated[list[str] | None, Query()] = None,
    sort: Annotated[list[str] | None, Query()] = None,
    liked: bool = False,
    filter_by_user: bool = False,
    fields: Annotated[list[str] | None, Query()] = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 10,
) -> ListComponentResponseModel:
    """Search the store."""
    query = Search(
        text=search,
        component=component_id,
        tags=tuple(listed(tags)),
        is_component=is_component,
        private=private,
        liked=liked,
        own=filter_by_user,
        sort=tuple(map(sort_of, listed(sort))),
        page=page,
        limit=limit,
    )
    wanted = set(map(field_of, listed(fields)))
    found = await store.search(user.id, query)
    status = await store.key_status(user.id)
    return ListComponentResponseModel(
        count=found.total,
        authorized=status.valid,
        results=[listing(component, wanted) for component in found.items],
    )


@router.get("/components/{component_id}")
@inject
async def download_component(
    component_id: UUID,
    user: StoreUser,
    store: Store,
    version: str | None = None,
    digest: str | None = None,
    yanked: bool = False,
) -> DownloadComponentResponse:
    """A component with its document: the newest version, unless a number or a digest is named."""
    found = await store.download(user.id, component_id, Which(version=version, digest=digest, yanked=yanked))
    return DownloadComponentResponse(metadata=dict(found.summary), **_values(found, "summary"))


@router.patch("/components/{component_id}", status_code=201)
@inject
async def update_component(
    component_id: UUID, body: StoreComponentCreate, user: StoreUser, store: Store
) -> CreateComponentResponse:
    """Change what the caller published; another document is another version."""
    sent = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None or name in ("description", "parent", "last_tested_version")
    }
    if "tags" in sent:
        sent["tags"] = tuple(sent["tags"])
    return _made(await store.update(user.id, component_id, Changes(**sent)))


@router.delete("/components/{component_id}", status_code=204)
@inject
async def delete_component(component_id: UUID, user: StoreUser, store: Store) -> Response:
    """Take what the caller published out of the store, with all its versions."""
    await store.delete(user.id, component_id)
    return Response(status_code=204)


@router.get("/components/{component_id}/versions")
@inject
async def list_versions(component_id: UUID, user: CurrentUser, store: Store) -> list[VersionResponse]:
    """The versions of a component, the highest first."""
    return [VersionResponse(**_values(version)) for version in await store.versions(user.id, component_id)]


@router.post("/components/{component_id}/versions/{version}/yank")
@inject
async def yank_version(
    component_id: UUID, version: str, body: YankRequest, user: StoreUser, store: Store
) -> VersionResponse:
    """Warn off a version of the caller's: nobody gets it any more who does not insist."""
    return VersionResponse(**_values(await store.yank(user.id, component_id, version, body.reason)))


@router.delete("/components/{component_id}/versions/{version}/yank")
@inject
async def restore_version(component_id: UUID, version: str, user: StoreUser, store: Store) -> VersionResponse:
    """Undo a yank."""
    return VersionResponse(**_values(await store.restore(user.id, component_id, version)))


@router.get("/tags")
@inject
async def list_tags(store: Store) -> list[TagResponse]:
    """The tags that are offered, and those of public components."""
    return [TagResponse(id=tag.id, name=tag.name) for tag in await store.tags()]


@router.get("/users/likes")
@inject
async def list_likes(user: StoreUser, store: Store) -> list[UsersLikesResponse]:
    """What the caller likes."""
    return [_likes(likes) for likes in await store.liked(user.id)]


@router.post("/users/likes/{component_id}")
@inject
async def toggle_like(component_id: UUID, user: StoreUser, store: Store) -> UsersLikesResponse:
    """Like a component, or if the caller does already, no longer."""
    return _likes(await store.toggle_like(user.id, component_id))


@router.put("/users/likes/{component_id}")
@inject
async def like_component(component_id: UUID, user: StoreUser, store: Store) -> UsersLikesResponse:
    """Like a component; again changes nothing."""
    return _likes(await store.like(user.id, component_id))


@router.delete("/users/likes/{component_id}")
@inject
async def unlike_component(component_id: UUID, user: StoreUser, store: Store) -> UsersLikesResponse:
    """Like a component no longer; again changes nothing."""
    return _likes(await store.unlike(user.id, component_id))


def _values(value: Any, *without: str) -> dict[str, Any]:
    return {name: inner for name, inner in msgspec.structs.asdict(value).items() if name not in without}


def _made(component: Component) -> CreateComponentResponse:
    return CreateComponentResponse(
        id=component.id,
        namespaced_id=component.namespaced_id,
        version=component.version,
        digest=component.digest,
    )


def _likes(likes: Likes) -> UsersLikesResponse:
    return UsersLikesResponse(likes_count=likes.likes, liked_by_user=likes.liked, component_id=likes.component_id)
