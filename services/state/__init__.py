"""The state service: values that the parts of a run share, and their changes."""

from bedplate.services.state.errors import (
    StateClosedError,
    StateConflictError,
    StateFullError,
    StateKeyError,
    StateValueError,
    StateValueTooLargeError,
)
from bedplate.services.state.models import ChangeKind, Scope, ScopeKind, StateChange, StateEntry, StateUsage
from bedplate.services.state.service import StateService
from bedplate.services.state.subscription import Subscription

__all__ = [
    "ChangeKind",
    "Scope",
    "ScopeKind",
    "StateChange",
    "StateClosedError",
    "StateConflictError",
    "StateEntry",
    "StateFullError",
    "StateKeyError",
    "StateService",
    "StateUsage",
    "StateValueError",
    "StateValueTooLargeError",
    "Subscription",
]
