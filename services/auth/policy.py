"""Who may do what, beyond ownership: a hook that an application can put its own rules into."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec

from bedplate.services.auth.models import Principal
from bedplate.services.auth.scopes import Scope

__all__ = ["AuthorizationPolicy", "OwnershipPolicy", "Resource"]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for.

    Attributes:
        kind: The kind of operation, such as ``"GET /api/v1/flows/{flow_id}"``, or the name of an event or task.
        ids: The ids in it, by name, as the caller wrote them.
    """

    kind: str
    ids: Mapping[str, str] = {}


@runtime_checkable
class AuthorizationPolicy(Protocol):
    """Decides, for each authenticated request, whether it may go on; overridden in the container as ``policy``.

    It is asked after credentials and scopes were checked and before anything is looked up, so that it can forbid what
    ownership would allow, and can never allow what ownership forbids.
    """

    async def allows(self, principal: Principal, action: Scope | None, resource: Resource) -> bool:
        """Whether the caller may do this.

        Args:
            principal: The caller.
            action: The scope that the operation asks for; None for one that no scope is for.
            resource: What it asks for.

        Returns:
            False for a 403. An exception of it is answered as an error of the server, and nothing is done.
        """
        ...


class OwnershipPolicy:
    """The default: everybody may do what ownership allows."""

    async def allows(self, principal: Principal, action: Scope | None, resource: Resource) -> bool:
        """True."""
        return True
