"""A local OpenID Connect issuer for tests: real keys, real tokens, and everybody who comes is logged in at once."""

import base64
import functools
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bedplate.wiring.testing.server import LocalServer

__all__ = ["LocalIssuer"]

_KEYS = 3


@functools.cache
def _private_key(_number: int) -> RSAPrivateKey:
    """One of a few keys: making one takes a tenth of a second, and more where the machine is busy."""
    return generate_private_key(65537, 2048)


class LocalIssuer(LocalServer):
    """The issuer.

    Args:
        client_id: The one client that it knows.
        client_secret: The secret of that client; None for a public one.

    Attributes:
        person: Claims of whoever logs in with a browser.
        failing: Whether it answers everything with 503.
        requests: Paths that it was asked for.
    """

    def __init__(self, *, client_id: str = "bedplate", client_secret: str | None = "the client's secret") -> None:  # noqa: S107 - it protects nothing
        self.client_id = client_id
        self.client_secret = client_secret
        self.person: dict[str, Any] = {"sub": "person-1", "preferred_username": "ada"}
        self.failing = False
        self.requests: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.extra_keys: list[Any] = []
        self._keys: dict[str, RSAPrivateKey] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._changes = 0
        self.change_keys()
        routes = [
            Route("/.well-known/openid-configuration", self._configuration),
            Route("/keys", self._published),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        super().__init__("local-issuer", lambda: Starlette(routes=routes))

    @property
    def issuer(self) -> str:
        """``iss`` of its tokens."""
        return self.origin

    @property
    def key_id(self) -> str:
        """``kid`` of the key that it signs with."""
        return next(reversed(self._keys))

    def change_keys(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on.

        Args:
            keep: Whether the old ones stay published.
        """
        if not keep:
            self._keys.clear()
        self._changes += 1
        self._keys[secrets.token_hex(8)] = _private_key(self._changes % _KEYS)

    def token(self, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A signed token of the person; None leaves a claim out."""
        now = int(time.time())
        payload: dict[str, Any] = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300}
        payload = {name: value for name, value in (payload | self.person | claims).items() if value is not None}
        return jwt.encode(payload, self._keys[self.key_id], "RS256", headers={"kid": self.key_id} | (headers or {}))

    async def _configuration(self, request: Request) -> Response:
        document = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.origin}/keys",
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
        }
        return self._answer(request, document | self.metadata)

    async def _published(self, request: Request) -> Response:
        keys: list[Any] = [
            jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "alg": "RS256"}
            for key_id, key in self._keys.items()
        ]
        return self._answer(request, {"keys": [*self.extra_keys, *keys]})

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        if query.get("response_type") != "code" or query.get("client_id") != self.client_id:
            return JSONResponse({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        separator = "&" if "?" in query["redirect_uri"] else "?"
        return RedirectResponse(
            f"{query['redirect_uri']}{separator}{urlencode({'code': code, 'state': query['state']})}", 303
        )

    async def _token(self, request: Request) -> Response:
        if self.failing:
            return Response(status_code=503)
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        good = (
            asked is not None
            and self._authenticated(request, form)
            and asked["redirect_uri"] == form.get("redirect_uri")
            and asked["code_challenge_method"] == "S256"
            and asked["code_challenge"] == challenge.rstrip(b"=").decode()
        )
        if asked is None or not good:
            return JSONResponse({"error": "invalid_grant"}, 400)
        id_token = self.token(nonce=asked["nonce"])
        return JSONResponse({"access_token": self.token(), "token_type": "Bearer", "id_token": id_token})

    def _authenticated(self, request: Request, form: dict[str, str]) -> bool:
        if self.client_secret is None:
            return form.get("client_id") == self.client_id
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return request.headers.get("authorization") == f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _answer(self, request: Request, document: Any) -> Response:
        self.requests.append(request.url.path)
        return Response(status_code=503) if self.failing else JSONResponse(document)
