"""Where one is logged in."""

from uuid import UUID

from fastapi import APIRouter

from bedplate.services.auth import LoginSession
from bedplate.wiring import Auth, inject
from bedplate.wiring.http.schemas.users import LoginSessionRead, LoginSessionsResponse, RevokedSessions
from bedplate.wiring.http.security import CurrentPrincipal

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/auth/sessions", tags=["Login"])


def _read(session: LoginSession) -> LoginSessionRead:
    return LoginSessionRead(
        id=session.id,
        kind=session.kind,
        user_agent=session.user_agent,
        address=session.address,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        current=session.current,
    )


@router.get("")
@inject
async def list_sessions(principal: CurrentPrincipal, auth: Auth, user_id: UUID | None = None) -> LoginSessionsResponse:
    """The caller's login sessions, newest first; for superusers, those of any user."""
    sessions = await auth.sessions.list(principal, user_id)
    return LoginSessionsResponse(
        total_count=len(sessions),
        user_id=user_id or principal.user.id,
        sessions=[_read(session) for session in sessions],
    )


@router.delete("")
@inject
async def revoke_other_sessions(
    principal: CurrentPrincipal, auth: Auth, user_id: UUID | None = None
) -> RevokedSessions:
    """End all login sessions but the one that this request uses; for superusers, those of any user."""
    return RevokedSessions(revoked=await auth.sessions.revoke_others(principal, user_id))


@router.delete("/{auth_session_id}")
@inject
async def revoke_session(
    auth_session_id: UUID, principal: CurrentPrincipal, auth: Auth, user_id: UUID | None = None
) -> RevokedSessions:
    """End one login session; its tokens are dead at once."""
    await auth.sessions.revoke(principal, auth_session_id, user_id)
    return RevokedSessions(revoked=1)
