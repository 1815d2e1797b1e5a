"""What the variable service asks of an audit log: to know who sees a secret, before anybody sees it."""

import uuid
from typing import TYPE_CHECKING, Protocol

from bedplate.services.logs import get_logger

if TYPE_CHECKING:
    from bedplate.services.auth import AuthService, Principal

__all__ = ["AuditTrail", "AuthTrail", "LogTrail"]

_log = get_logger("bedplate.variable.audit")


class AuditTrail(Protocol):
    """Keeps what happens to secrets."""

    async def record(
        self,
        kind: str,
        *,
        user_id: uuid.UUID | None,
        target_id: uuid.UUID | str,
        actor: "Principal | uuid.UUID | None" = None,
        **details: str | int,
    ) -> None:
        """Keep an event; raises if it cannot be kept, and then what it is about must not happen.

        Args:
            kind: What is about to happen, such as ``"variable_revealed"``.
            user_id: Whose it is.
            target_id: To what.
            actor: Who does it; None: the operator.
            **details: What else there is to know; never a secret.
        """
        ...


class LogTrail:
    """Writes events to the log of the process."""

    async def record(
        self,
        kind: str,
        *,
        user_id: uuid.UUID | None,
        target_id: uuid.UUID | str,
        actor: "Principal | uuid.UUID | None" = None,
        **details: str | int,
    ) -> None:
        """See :class:`AuditTrail`."""
        _log.info(kind, user_id=str(user_id), target_id=str(target_id), **details)


class AuthTrail:
    """Adds events to the audit log of the auth service.

    Args:
        auth: The service.
    """

    def __init__(self, auth: "AuthService") -> None:
        self._audit = auth.audit

    async def record(
        self,
        kind: str,
        *,
        user_id: uuid.UUID | None,
        target_id: uuid.UUID | str,
        actor: "Principal | uuid.UUID | None" = None,
        **details: str | int,
    ) -> None:
        """See :class:`AuditTrail`."""
        await self._audit.record(kind, user_id=user_id, actor=actor, target_id=target_id, details=details)
