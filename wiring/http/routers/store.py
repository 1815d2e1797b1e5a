"""The store."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from bedplate.services.auth import User
from bedplate.services.store import Catalogue, Changes, Component, Likes, NewComponent, Which
from bedplate.services.store import Query as Search
from bedplate.wiring import Store, inject
from bedplate.wiring.http.answers import conditional_json
from bedplate.wiring.http.schemas.flows import MAX_PAGE
from bedplate.wiring.http.schemas.store import (
    CreateComponentResponse,
    DownloadComponentResponse,
    ListComponentResponseModel,
    StoreCheckResponse,
    StoreComponentCreate,
    StoreComponentUpdate,
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

KEY_HEADER = "x-store-key"
"""A header of callers, such as another Bedplate, that keep the store keys of their users themselves."""


@inject
async def catalogue(store: Store, source: Annotated[Literal["local"] | None, Query()] = None) -> Catalogue:
    """The catalogue that the installation is set up with, or where it is asked for, the local one."""
    return store.local if source == "local" else store


Shelf = Annotated[Catalogue, Depends(catalogue)]


async def user_with_store_key(request: Request, user: CurrentUser, shelf: Shelf) -> User:
    """The caller, who must have saved a store key where one is needed; answers before the body is looked at."""
    await shelf.require_key(user.id, shown=bool(request.headers.get(KEY_HEADER)))
    return user


StoreUser = Annotated[User, Depends(user_with_store_key)]


@router.get("/check/")
@inject
async def check_store(store: Store) -> StoreCheckResponse:
    """Whether there is a store."""
    return StoreCheckResponse(enabled=store.enabled)


@router.get("/check/api_key")
async def check_store_key(user: CurrentUser, shelf: Shelf) -> StoreKeyResponse:
    """Whether the caller has saved a store key, and whether the store takes it."""
    status = await shelf.key_status(user.id)
    return StoreKeyResponse(has_api_key=status.present, is_valid=status.valid)


@router.post("/components/", status_code=201)
async def publish_component(body: StoreComponentCreate, user: StoreUser, shelf: Shelf) -> CreateComponentResponse:
    """Publish a component or a flow; what its nodes hold of secrets is left out, and a secret elsewhere is refused."""
    sent = body.model_dump(exclude_none=True)
    return _made(await shelf.publish(user.id, NewComponent(**{**sent, "tags": tuple(body.tags or ())})))


@router.get("/components/", response_model=ListComponentResponseModel)
async def list_components(
    request: Request,
    user: CurrentUser,
    shelf: Shelf,
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
) -> Response:
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
    found = await shelf.search(user.id, query)
    results = [listing(component, wanted) for component in found.items]
    answer = ListComponentResponseModel(count=found.total, authorized=await shelf.has_key(user.id), results=results)
    return conditional_json(request, answer)


@router.get("/components/{component_id}", response_model=DownloadComponentResponse)
async def download_component(
    request: Request,
    component_id: UUID,
    user: StoreUser,
    shelf: Shelf,
    version: str | None = None,
    digest: str | None = None,
    yanked: bool = False,
) -> Response:
    """A component with its document: the newest version, unless a number or a digest is named."""
    found = await shelf.download(user.id, component_id, Which(version=version, digest=digest, yanked=yanked))
    answer = DownloadComponentResponse(metadata=dict(found.summary), **_values(found, "summary"))
    return conditional_json(request, answer)


@router.patch("/components/{component_id}", status_code=201)
async def update_component(
    component_id: UUID, body: StoreComponentUpdate, user: StoreUser, shelf: Shelf
) -> CreateComponentResponse:
    """Change what the caller published, and leave what is not sent; another document is another version."""
    sent = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None or name in ("description", "parent", "last_tested_version")
    }
    if "tags" in sent:
        sent["tags"] = tuple(sent["tags"])
    return _made(await shelf.update(user.id, component_id, Changes(**sent)))


@router.delete("/components/{component_id}", status_code=204)
async def delete_component(component_id: UUID, user: StoreUser, shelf: Shelf) -> Response:
    """Take what the caller published out of the store, with all its versions."""
    await shelf.delete(user.id, component_id)
    return Response(status_code=204)


@router.get("/components/{component_id}/versions")
async def list_versions(component_id: UUID, user: CurrentUser, shelf: Shelf) -> list[VersionResponse]:
    """The versions of a component, the highest first."""
    return [VersionResponse(**_values(version)) for version in await shelf.versions(user.id, component_id)]


@router.post("/components/{component_id}/versions/{version}/yank")
async def yank_version(
    component_id: UUID, version: str, body: YankRequest, user: StoreUser, shelf: Shelf
) -> VersionResponse:
    """Warn off a version of the caller's: nobody gets it any more who does not insist."""
    return VersionResponse(**_values(await shelf.yank(user.id, component_id, version, body.reason)))


@router.delete("/components/{component_id}/versions/{version}/yank")
async def restore_version(component_id: UUID, version: str, user: StoreUser, shelf: Shelf) -> VersionResponse:
    """Undo a yank."""
    return VersionResponse(**_values(await shelf.restore(user.id, component_id, version)))


@router.get("/tags")
async def list_tags(shelf: Shelf) -> list[TagResponse]:
    """The tags that are offered, and those of public components."""
    return [TagResponse(id=tag.id, name=tag.name) for tag in await shelf.tags()]


@router.get("/users/tags")
async def list_own_tags(user: CurrentUser, shelf: Shelf) -> list[TagResponse]:
    """The tags that are offered, and those of all components that the caller sees."""
    return [TagResponse(id=tag.id, name=tag.name) for tag in await shelf.tags(user.id)]


@router.get("/users/likes")
async def list_likes(user: StoreUser, shelf: Shelf) -> list[UsersLikesResponse]:
    """What the caller likes."""
    return [_likes(likes) for likes in await shelf.liked(user.id)]


@router.post("/users/likes/{component_id}")
async def toggle_like(component_id: UUID, user: StoreUser, shelf: Shelf) -> UsersLikesResponse:
    """Like a component, or if the caller does already, no longer."""
    return _likes(await shelf.toggle_like(user.id, component_id))


@router.put("/users/likes/{component_id}")
async def like_component(component_id: UUID, user: StoreUser, shelf: Shelf) -> UsersLikesResponse:
    """Like a component; again changes nothing."""
    return _likes(await shelf.like(user.id, component_id))


@router.delete("/users/likes/{component_id}")
async def unlike_component(component_id: UUID, user: StoreUser, shelf: Shelf) -> UsersLikesResponse:
    """Like a component no longer; again changes nothing."""
    return _likes(await shelf.unlike(user.id, component_id))


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
