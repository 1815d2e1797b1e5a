"""What an API key may be limited to: areas of the API, and what may be done in each."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from bedplate.services.auth.errors import InvalidScopeError

__all__ = ["Scope", "covers", "parse_scopes", "stored_scopes"]


class Scope(StrEnum):
    """One right, as ``area:action``. ``write`` includes ``read`` of its area, ``admin`` all of it; ``run`` is apart."""

    FLOWS_READ = "flows:read"
    FLOWS_WRITE = "flows:write"
    FLOWS_RUN = "flows:run"
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    VARIABLES_READ = "variables:read"
    VARIABLES_WRITE = "variables:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    STORE_READ = "store:read"
    STORE_WRITE = "store:write"
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_ADMIN = "account:admin"
    SYSTEM_READ = "system:read"
    SYSTEM_ADMIN = "system:admin"

    @property
    def area(self) -> str:
        """The part of the API."""
        return self.partition(":")[0]

    @property
    def action(self) -> str:
        """What is done in it."""
        return self.partition(":")[2]


_KNOWN = frozenset(str(scope) for scope in Scope)


def covers(granted: Collection[Scope] | None, wanted: Scope | None) -> bool:
    """Whether a caller that was granted some scopes has one of them.

    Args:
        granted: The scopes; None: all that there are and will be.
        wanted: The scope; None: something that no scope is for, and only callers without limits have.
    """
    if granted is None:
        return True
    if wanted is None:
        return False
    return wanted in granted or any(_includes(scope, wanted) for scope in granted)


def parse_scopes(names: Iterable[str] | None) -> frozenset[Scope] | None:
    """The scopes of these names; None for None.

    Raises:
        InvalidScopeError: One is unknown, or there are none.
    """
    if names is None:
        return None
    names = list(names)
    unknown = sorted(set(names) - _KNOWN)
    if unknown or not names:
        what = f"There is no scope {unknown[0]!r:.100}" if unknown else "A key without any scope could do nothing"
        raise InvalidScopeError(what, fix=f"use some of {', '.join(sorted(_KNOWN))}, or leave them out for all")
    return frozenset(map(Scope, names))


def stored_scopes(names: Iterable[str] | None) -> frozenset[Scope] | None:
    """The scopes of a stored key; those that a newer version wrote and this one does not know grant nothing."""
    return None if names is None else frozenset(Scope(name) for name in names if name in _KNOWN)


def _includes(granted: Scope, wanted: Scope) -> bool:
    return granted.area == wanted.area and (
        granted.action == "admin" or (granted.action == "write" and wanted.action == "read")
    )
