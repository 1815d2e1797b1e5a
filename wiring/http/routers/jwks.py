"""The public keys of tokens."""

import orjson
from fastapi import APIRouter, Response

from bedplate.wiring import Auth, Settings, inject

__all__ = ["router"]

_TYPE = "application/jwk-set+json"

router = APIRouter(tags=["System"])


@router.get("/.well-known/jwks.json", response_class=Response, responses={200: {"content": {_TYPE: {}}}})
@inject
async def jwks(auth: Auth, settings: Settings) -> Response:
    """The JWK set (RFC 7517) that verifies the tokens of this installation; empty where a shared secret does."""
    headers = {"Cache-Control": f"public, max-age={int(settings.values.auth.signing_key_reload)}"}
    return Response(orjson.dumps({"keys": auth.public_keys()}), media_type=_TYPE, headers=headers)
