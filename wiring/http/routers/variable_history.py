"""Earlier values of variables, and what a credential holds."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from bedplate.wiring import Variables, inject
from bedplate.wiring.http.routers.variables import IfMatch, etag, expected_version, read
from bedplate.wiring.http.schemas.variables import VariableRead, VariableReveal, VariableValue, VariableVersionRead
from bedplate.wiring.http.security import CurrentPrincipal, CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/variables/{variable_id}", tags=["Variables"])

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/versions")
@inject
async def list_versions(variable_id: UUID, user: CurrentUser, variable: Variables) -> list[VariableVersionRead]:
    """The values that a variable has and had, latest first; those of a credential are null."""
    return [
        VariableVersionRead(
            version=one.version,
            current=one.current,
            type=one.type,
            value=one.value,
            created_at=one.created_at,
        )
        for one in await variable.history.list(user.id, variable_id)
    ]


@router.post("/versions/{version}/restore")
@inject
async def restore_version(
    variable_id: UUID,
    version: Version,
    user: CurrentUser,
    variable: Variables,
    response: Response,
    if_match: IfMatch = None,
) -> VariableRead:
    """Give a variable an earlier value again. With ``If-Match``, only if it has that version still."""
    restored = await variable.history.restore(
        user.id, variable_id, version, expected_version=expected_version(if_match)
    )
    response.headers["ETag"] = etag(restored)
    return read(restored)


@router.post("/reveal")
@inject
async def reveal_value(
    variable_id: UUID,
    principal: CurrentPrincipal,
    variable: Variables,
    response: Response,
    body: VariableReveal | None = None,
) -> VariableValue:
    """The value of a variable in clear, that of a credential too; each call is in the audit log."""
    revealed = await variable.reveal(
        principal.user.id, variable_id, version=body.version if body else None, actor=principal
    )
    response.headers["Cache-Control"] = "no-store"
    return VariableValue(version=revealed.version, value=revealed.value.get_secret_value())
