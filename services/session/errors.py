"""Errors of the session service, beside those of flow documents in ``runner/errors.py``."""

from bedplate.services.errors import ConflictError, NotFoundError, UnavailableError

__all__ = [
    "FlowNotFoundError",
    "NameTakenError",
    "ProjectNotFoundError",
    "SessionBusyError",
    "SessionNotFoundError",
    "TurnLostError",
]


class FlowNotFoundError(NotFoundError):
    """There is no such flow, or it is somebody else's."""

    code = "flow_not_found"

    def __init__(self) -> None:
        super().__init__("Flow not found", service="session", fix="list your flows to see their ids")


class ProjectNotFoundError(NotFoundError):
    """There is no such project, or it is somebody else's."""

    code = "project_not_found"

    def __init__(self) -> None:
        super().__init__("Project not found", service="session", fix="list your projects to see their ids")


class SessionNotFoundError(NotFoundError):
    """There is no such session, it has expired, or it is somebody else's."""

    code = "session_not_found"

    def __init__(self) -> None:
        super().__init__("Session not found", service="session", fix="list your sessions, or begin a run to open one")


class SessionBusyError(ConflictError):
    """Another run of the session goes on, or too many wait.

    Args:
        what: Which of them.
    """

    code = "session_busy"

    def __init__(self, what: str) -> None:
        super().__init__(
            what, service="session", fix="try again later, use another session, or set BEDPLATE_SESSION__RUN_POLICY"
        )


class TurnLostError(UnavailableError):
    """A run could not show in time that it goes on, so that another one of its session may have begun."""

    code = "session_turn_lost"

    def __init__(self) -> None:
        super().__init__(
            "the run lost its turn in the session",
            service="session",
            why="the lease in the database could not be renewed in time",
            fix="run it again; if it happens often, raise BEDPLATE_SESSION__RUN_LEASE",
        )


class NameTakenError(ConflictError):
    """Another object of the same user has this name.

    Args:
        what: The kind of object, such as ``"flow"``.
        field: The field that must be unique, such as ``"endpoint_name"``.
        name: The name that is taken.

    Attributes:
        field: As given.
    """

    code = "name_taken"

    def __init__(self, what: str, field: str, name: str) -> None:
        super().__init__(f"another {what} of yours has the {field} {name!r}", service="session", fix="use another one")
        self.field = field
