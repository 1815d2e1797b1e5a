"""Users of an OpenID Connect issuer: its keys, its tokens, who they are here, and logging in with a browser."""

from bedplate.services.auth.oidc.service import Oidc

__all__ = ["Oidc"]
