"""Users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from pydantic import SecretStr

from bedplate.services.auth import User, UserChanges
from bedplate.wiring import Auth, Sessions, SharedComponentCache, Storage, Variables, inject
from bedplate.wiring.http.schemas.flows import MAX_PAGE
from bedplate.wiring.http.schemas.users import UserCreate, UserRead, UsersResponse, UserUpdate
from bedplate.wiring.http.security import CurrentPrincipal, CurrentSuperuser, CurrentUser, client_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/users", tags=["Users"])


def _read(user: User) -> UserRead:
    return UserRead(
        id=user.id,
        username=user.username,
        profile_image=user.profile_image,
        is_active=user.is_active,
        is_superuser=user.is_superuser,
        create_at=user.created_at,
        updated_at=user.updated_at,
        last_login_at=user.last_login_at,
        optins=user.optins,
    )


@router.post("/", status_code=201)
@inject
async def sign_up(request: Request, body: UserCreate, auth: Auth, session: Sessions) -> UserRead:
    """Make an account, as far as the sign-up policy lets anyone."""
    user = await auth.users.sign_up(body.username, body.password, optins=body.optins, client=client_of(request))
    await session.projects.default(user.id)
    return _read(user)


@router.get("/whoami")
async def whoami(user: CurrentUser) -> UserRead:
    """The caller."""
    return _read(user)


@router.get("/")
@inject
async def list_users(
    superuser: CurrentSuperuser,
    auth: Auth,
    skip: Annotated[int, Query(ge=0, le=MAX_PAGE)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> UsersResponse:
    """A page of all users, for superusers."""
    page = await auth.users.list(superuser, skip=skip, limit=limit)
    return UsersResponse(total_count=page.total, users=[_read(user) for user in page.users])


@router.patch("/{user_id}")
@inject
async def update_user(user_id: UUID, body: UserUpdate, principal: CurrentPrincipal, auth: Auth) -> UserRead:
    """Change a user: oneself, or as a superuser anyone."""
    sent = body.model_dump(exclude_unset=True, exclude={"password", "last_login_at"})
    changes = {name: value for name, value in sent.items() if value is not None}
    password = SecretStr(body.password) if body.password is not None else UNSET
    return _read(await auth.users.update(principal, user_id, UserChanges(password=password, **changes)))


@router.patch("/{user_id}/reset-password")
@inject
async def reset_password(user_id: UUID, body: UserUpdate, principal: CurrentPrincipal, auth: Auth) -> UserRead:
    """Change one's own password; every other session of the user ends."""
    return _read(await auth.users.reset_password(principal, user_id, SecretStr(body.password or "")))


@router.delete("/{user_id}")
@inject
async def delete_user(
    user_id: UUID,
    superuser: CurrentSuperuser,
    auth: Auth,
    storage: Storage,
    variables: Variables,
    components: SharedComponentCache,
) -> dict[str, str]:
    """Delete a user with everything that is its own, for superusers."""
    await auth.users.delete(superuser, user_id)
    await storage.delete_owner(user_id)
    await variables.delete_owner(user_id)
    await components.discard(user_id)
    return {"detail": "User deleted"}
