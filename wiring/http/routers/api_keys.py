"""API keys."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import SecretStr

from bedplate.services.auth import ApiKey
from bedplate.wiring import Auth, Store, inject
from bedplate.wiring.http.schemas.users import (
    ApiKeyCreate,
    ApiKeyCreateRequest,
    ApiKeyRead,
    ApiKeysResponse,
    UnmaskedApiKeyRead,
)
from bedplate.wiring.http.security import CurrentPrincipal, CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/api_key", tags=["APIKey"])


def _names(key: ApiKey) -> list[str] | None:
    return None if key.scopes is None else list(map(str, key.scopes))


@router.get("/")
@inject
async def list_api_keys(user: CurrentUser, auth: Auth) -> ApiKeysResponse:
    """The caller's API keys, masked."""
    keys = await auth.api_keys.list(user.id)
    read = [
        ApiKeyRead(
            id=key.id,
            name=key.name,
            last_used_at=key.last_used_at,
            total_uses=key.total_uses,
            is_active=key.is_active,
            api_key=key.masked,
            user_id=key.user_id,
            created_at=key.created_at,
            expires_at=key.expires_at,
            scopes=_names(key),
        )
        for key in keys
    ]
    return ApiKeysResponse(total_count=len(read), user_id=user.id, api_keys=read)


@router.post("/")
@inject
async def create_api_key(body: ApiKeyCreate, principal: CurrentPrincipal, auth: Auth) -> UnmaskedApiKeyRead:
    """Make an API key; this answer is the only one that shows it."""
    new = await auth.api_keys.create(
        principal.user.id, name=body.name, expires_at=body.expires_at, scopes=body.scopes, maker=principal
    )
    return UnmaskedApiKeyRead(
        id=new.key.id,
        name=new.key.name,
        last_used_at=new.key.last_used_at,
        total_uses=new.key.total_uses,
        is_active=new.key.is_active,
        api_key=new.secret.get_secret_value(),
        user_id=new.key.user_id,
        expires_at=new.key.expires_at,
        scopes=_names(new.key),
    )


@router.post("/store")
@inject
async def save_store_key(body: ApiKeyCreateRequest, user: CurrentUser, store: Store) -> dict[str, str]:
    """Keep the caller's key for the store, encrypted; no answer and no cookie ever shows it."""
    await store.save_key(user.id, SecretStr(body.api_key))
    return {"detail": "API Key saved"}


@router.delete("/store")
@inject
async def delete_store_key(user: CurrentUser, store: Store) -> dict[str, str]:
    """Forget the caller's key for the store."""
    await store.delete_key(user.id)
    return {"detail": "API Key deleted"}


@router.delete("/{api_key_id}")
@inject
async def delete_api_key(api_key_id: UUID, principal: CurrentPrincipal, auth: Auth) -> dict[str, str]:
    """Delete one of the caller's API keys; it stops working at once."""
    await auth.api_keys.delete(principal.user.id, api_key_id, actor=principal)
    return {"detail": "API Key deleted"}
