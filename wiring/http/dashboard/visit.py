"""One request of a superuser, and what its answer is made from."""

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Principal
from bedplate.services.engines.redactor import Limits
from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.wiring.http.dashboard.rendering import page

if TYPE_CHECKING:
    from bedplate.wiring.http.dashboard.live import Live

__all__ = ["SYSTEM", "View", "Visit"]

SYSTEM = "system"
"""Stands in addresses for the owner of what nobody owns."""

_SHOWN = Limits(text=20_000, size=200_000)


class Visit(msgspec.Struct, frozen=True):
    """A request that has been let in.

    Attributes:
        request: The request.
        principal: Who asks.
        container: The services.
        live: What is measured while somebody looks.
    """

    request: Request
    principal: Principal
    container: ApplicationContainer
    live: "Live"

    @property
    def fragment(self) -> bool:
        """Whether a part of the page is wanted, to be put in the place of the same part."""
        return "hx-request" in self.request.headers

    def id(self, name: str) -> uuid.UUID:
        """An id in the address.

        Raises:
            NotFoundError: It is none.
        """
        try:
            return uuid.UUID(self.request.path_params[name])
        except ValueError:
            raise NotFoundError("There is no such page", service="dashboard") from None

    def owner(self) -> uuid.UUID | None:
        """Whose it is, by the address; None: the system's.

        Raises:
            NotFoundError: It is no id.
        """
        return None if self.request.path_params["owner"] == SYSTEM else self.id("owner")

    def asked(self, name: str) -> str | None:
        """A parameter of the query; None if it is missing or empty."""
        return self.request.query_params.get(name) or None

    def number(self, name: str, default: int = 0) -> int:
        """A whole number in the query, not negative.

        Raises:
            InvalidInputError: It is none.
        """
        text = self.asked(name) or str(default)
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise InvalidInputError(f"{name} must be a whole number", service="dashboard")
        return int(text)

    def masked(self, value: Any) -> Any:
        """A value as it may be shown: without secrets, and not too large."""
        return self.container.redactor().value(value, limits=_SHOWN)

    def page(self, template: str, /, **values: Any) -> Response:
        """Render a template for this visitor."""
        return page(self.request, template, user=self.principal.user, fragment=self.fragment, **values)

    def back_to(self, path: str) -> Response:
        """Show another page after something was changed."""
        scope = self.request.scope
        base = scope.get("app_root_path", scope.get("root_path", ""))
        return RedirectResponse(f"{base}{path}", status_code=303)


View = Callable[[Visit], Awaitable[Response]]
"""What answers a request that has been let in."""
