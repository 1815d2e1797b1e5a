"""The HTTP layer: an app factory, one router per area, one shape of error."""

from bedplate.wiring.http.app import create_app

__all__ = ["create_app"]
