"""Variables."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from bedplate.services.errors import InvalidInputError
from bedplate.services.variable import Variable, VariableType
from bedplate.wiring import Variables, inject
from bedplate.wiring.http.schemas.variables import VariableCreate, VariableRead, VariableUpdate
from bedplate.wiring.http.security import CurrentUser

__all__ = ["IfMatch", "etag", "expected_version", "read", "router"]

_DIGITS = 10

router = APIRouter(prefix="/api/v1/variables", tags=["Variables"])


IfMatch = Annotated[str | None, Header()]


def etag(variable: Variable) -> str:
    """The entity tag of a variable: its version."""
    return f'"{variable.version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that ``If-Match`` asks for; None for any (RFC 9110, 13.1.1).

    Raises:
        InvalidInputError: It is not the entity tag of a version.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    number = if_match.strip().strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS):
        raise InvalidInputError(
            "If-Match is not the ETag of a variable", service="variable", fix="send the ETag of its last answer"
        )
    return int(number)


def read(variable: Variable) -> VariableRead:
    """The body for a variable."""
    return VariableRead(
        id=variable.id,
        name=variable.name,
        type=variable.type,
        value=variable.value,
        default_fields=list(variable.default_fields),
    )


def _type(name: str | None) -> VariableType:
    try:
        return VariableType(name) if name else VariableType.CREDENTIAL
    except ValueError:
        raise InvalidInputError(
            "The type of a variable is Credential or Generic", service="variable", fix="send one of the two as type"
        ) from None


@router.get("/")
@inject
async def list_variables(user: CurrentUser, variable: Variables) -> list[VariableRead]:
    """The caller's variables; the value of a credential is null."""
    return [read(item) for item in await variable.list(user.id)]


@router.post("/", status_code=201)
@inject
async def create_variable(
    body: VariableCreate, user: CurrentUser, variable: Variables, response: Response
) -> VariableRead:
    """Make a variable."""
    created = await variable.create(
        user.id, body.name, body.value, type=_type(body.type), default_fields=tuple(body.default_fields or ())
    )
    response.headers["ETag"] = etag(created)
    return read(created)


@router.patch("/{variable_id}")
@inject
async def update_variable(
    variable_id: UUID,
    body: VariableUpdate,
    user: CurrentUser,
    variable: Variables,
    response: Response,
    if_match: IfMatch = None,
) -> VariableRead:
    """Change a variable; what is not sent stays as it is. With ``If-Match``, only if it has that version still."""
    if body.id != variable_id:
        raise InvalidInputError("The id in the body is another one than in the path", service="variable")
    updated = await variable.update(
        user.id,
        variable_id,
        name=body.name,
        value=body.value,
        default_fields=body.default_fields,
        expected_version=expected_version(if_match),
    )
    response.headers["ETag"] = etag(updated)
    return read(updated)


@router.delete("/{variable_id}", status_code=204)
@inject
async def delete_variable(variable_id: UUID, user: CurrentUser, variable: Variables) -> Response:
    """Delete a variable."""
    await variable.delete(user.id, variable_id)
    return Response(status_code=204)
