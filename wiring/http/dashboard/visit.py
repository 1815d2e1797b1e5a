"""One request of a superuser, and what its answer is made from."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Principal
from bedplate.services.engines.redactor import Limits
from bedplate.services.errors import InvalidInputError, NotFoundError, UnavailableError
from bedplate.wiring.http.dashboard.rendering import base_of, page

if TYPE_CHECKING:
    from bedplate.wiring.http.dashboard.live import Live
    from bedplate.wiring.http.dashboard.people import People

__all__ = ["SYSTEM", "View", "Visit"]

SYSTEM = "system"
"""Stands in addresses for the owner of what nobody owns."""

E = TypeVar("E", bound=StrEnum)
P = ParamSpec("P")
T = TypeVar("T")

_CONTENTS = (
    "arguments",
    "content_blocks",
    "error",
    "inputs",
    "logs",
    "metadata",
    "outputs",
    "result",
    "text",
    "traceback",
)
"""Fields that hold what users, models and components have said."""
LOOK_AGAIN = 15.0
"""Seconds after which a stream looks whether the session that it is for is still good."""
_SHOWN = Limits(text=20_000, size=200_000)


class _Asked(dict[str, str]):
    """Parameters of a query, of which a missing one is empty."""

    def __missing__(self, key: str) -> str:
        return ""


class Visit(msgspec.Struct, frozen=True):
    """A request that has been let in.

    Attributes:
        request: The request.
        principal: Who asks.
        container: The services.
        live: What is measured while somebody looks.
        people: Names of users.
    """

    request: Request
    principal: Principal
    container: ApplicationContainer
    live: "Live"
    people: "People"

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

    def masked_struct(self, value: msgspec.Struct) -> Any:
        """A struct with its contents as they may be shown."""
        shown = {name: self.masked(field) for name in _CONTENTS if (field := getattr(value, name, None)) is not None}
        return msgspec.structs.replace(value, **shown)

    def choice(self, name: str, kind: type[E]) -> E | None:
        """A parameter of the query that is one of a few; None if it is missing, or none of them."""
        asked = self.asked(name)
        return kind(asked) if asked in set(kind) else None

    async def aside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what takes too long for the event loop."""
        return await self.container.workers().pool("dashboard", threads=1).run(function, *args, **kwargs)

    def watch(self) -> "Watch":
        """What tells a stream, again and again, whether the session that it is for is still good."""
        return Watch(self)

    async def audit(self, kind: str, owner: uuid.UUID | None, target: uuid.UUID, **details: str) -> None:
        """Note what the visitor has done."""
        await self.container.auth().audit.record(
            kind, user_id=owner, actor=self.principal, target_id=target, details=details
        )

    def page(self, template: str, /, **values: Any) -> Response:
        """Render a template for this visitor."""
        request = self.request
        asked = dict(request.query_params)

        def query(changed: Mapping[str, object]) -> str:
            return urlencode({name: str(value) for name, value in {**asked, **changed}.items() if value != ""})

        return page(
            request,
            template,
            user=self.principal.user,
            fragment=self.fragment,
            asked=_Asked(asked),
            query=query,
            here=f"{request.url.path}?{query({})}",
            **values,
        )

    def back_to(self, path: str) -> Response:
        """Show another page after something was changed."""
        return RedirectResponse(f"{base_of(self.request)}{path}", status_code=303)


class Watch:
    """Asks from time to time whether a session is still good.

    Args:
        visit: Whose.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._next = time.monotonic() + LOOK_AGAIN

    async def good(self) -> bool:
        """Whether it was, at the last look; true too where it cannot be told, which may be what is shown."""
        if time.monotonic() < self._next:
            return True
        self._next = time.monotonic() + LOOK_AGAIN
        principal = self._visit.principal
        try:
            alive = await self._visit.container.auth().alive([principal])
        except UnavailableError:
            return True
        return principal.credential_id in alive


View = Callable[[Visit], Awaitable[Response]]
"""What answers a request that has been let in."""
