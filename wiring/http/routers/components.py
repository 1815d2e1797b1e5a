"""Component types."""

from fastapi import APIRouter, Request, Response

from bedplate.wiring import SharedComponentCache, inject
from bedplate.wiring.http.answers import not_modified
from bedplate.wiring.http.schemas.components import ComponentOrigin, ComponentReport, ReloadReport
from bedplate.wiring.http.security import CurrentSuperuser, CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Components"])


@router.get("/all")
@inject
async def all_components(request: Request, _user: CurrentUser, components: SharedComponentCache) -> Response:
    """Every component type by category; made once, always compressed, with an ``ETag`` (RFC 9110)."""
    document = components.document()
    headers = {"ETag": document.etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, x-api-key"}
    if not_modified(request, document.etag):
        return Response(status_code=304, headers=headers)
    return Response(document.gzip, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})


@router.get("/components")
@inject
async def list_components(_superuser: CurrentSuperuser, components: SharedComponentCache) -> ComponentReport:
    """Where each component type comes from, and what could not be loaded, for superusers."""
    types = [ComponentOrigin(name=name, origin=components.origin(name)) for name in components.names()]
    return ComponentReport.model_validate({"types": types, "failures": components.failures}, from_attributes=True)


@router.post("/components/reload")
@inject
async def reload_components(_superuser: CurrentSuperuser, components: SharedComponentCache) -> ReloadReport:
    """Load the components of folders and packages anew, for superusers."""
    return ReloadReport.model_validate(await components.reload(), from_attributes=True)
