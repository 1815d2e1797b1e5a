"""The session service: flows, projects, sessions of execution, builds, and the runner that executes a flow."""

from bedplate.services.session.build_models import Build, NewBuild, NewTransaction, Transaction
from bedplate.services.session.errors import (
    FlowNotFoundError,
    NameTakenError,
    ProjectNotFoundError,
    SessionBusyError,
    SessionNotFoundError,
    TurnLostError,
)
from bedplate.services.session.models import (
    AccessType,
    CursorPage,
    Flow,
    FlowHeader,
    FlowPatch,
    FlowQuery,
    FlowSession,
    NewFlow,
    NewProject,
    Page,
    Project,
    ProjectPatch,
    RunPolicy,
    SessionStatus,
)
from bedplate.services.session.service import SessionService

__all__ = [
    "AccessType",
    "Build",
    "CursorPage",
    "Flow",
    "FlowHeader",
    "FlowNotFoundError",
    "FlowPatch",
    "FlowQuery",
    "FlowSession",
    "NameTakenError",
    "NewBuild",
    "NewFlow",
    "NewProject",
    "NewTransaction",
    "Page",
    "Project",
    "ProjectNotFoundError",
    "ProjectPatch",
    "RunPolicy",
    "SessionBusyError",
    "SessionNotFoundError",
    "SessionService",
    "SessionStatus",
    "Transaction",
    "TurnLostError",
]
