"""The state of one run, as its components reach it."""

import uuid
from typing import Any

from bedplate.services.errors import InvalidInputError
from bedplate.services.logs import get_logger
from bedplate.services.session.runner import StateScope
from bedplate.services.state import Scope, StateClosedError, StateService, Subscription

__all__ = ["BoundState"]

_log = get_logger("bedplate.execution")


class BoundState:
    """The state service on behalf of one run: its own values, and those of its session and its user.

    The application's own scope cannot be reached from here: what one user's flow writes there, all others would read.

    Args:
        service: The state service.
        user_id: The owner of the run.
        flow_id: The flow.
        session_id: The session.
        run_id: The run.
    """

    def __init__(
        self, service: StateService, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str, run_id: uuid.UUID
    ) -> None:
        self._service = service
        self._closed = False
        self._run = Scope.run(user_id, run_id)
        self._scopes = {
            "run": self._run,
            "session": Scope.session(user_id, flow_id, session_id),
            "user": Scope.user(user_id),
        }
        self._subscriptions: list[Subscription] = []

    async def get(self, key: str, default: Any = None, *, scope: StateScope = "run") -> Any:
        """The value of a key."""
        return await self._service.get(self._scope(scope), key, default)

    async def set(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Give a key a value."""
        await self._service.set(self._scope(scope), key, value)

    async def append(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Add an item to the list of a key."""
        await self._service.append(self._scope(scope), key, value)

    async def delete(self, key: str, *, scope: StateScope = "run") -> bool:
        """Forget a value; whether there was one."""
        return await self._service.delete(self._scope(scope), key)

    async def subscribe(self, key: str, *, scope: StateScope = "run", current: bool = False) -> Subscription:
        """Listen to a key from now on, until the run ends."""
        subscription = await self._service.subscribe(self._scope(scope), key, current=current)
        if scope != "run":  # those end with the run too, but what they listen to does not
            self._subscriptions = [one for one in self._subscriptions if not one.ended]
            self._subscriptions.append(subscription)
        return subscription

    async def close(self) -> None:
        """Forget the values of the run and end its subscriptions; what comes too late is refused."""
        self._closed = True
        try:
            for subscription in self._subscriptions:
                await subscription.aclose()
            await self._service.close(self._run)
        except Exception as error:
            _log.warning("state of a run was not cleared; it will expire", error=type(error).__name__)

    def _scope(self, name: str) -> Scope:
        if self._closed:
            raise StateClosedError
        try:
            return self._scopes[name]
        except KeyError:
            raise InvalidInputError(
                f"{name!r:.80} is not a scope", service="state", fix="use run, session or user"
            ) from None
