"""The session service: flows, projects, sessions of execution, builds, and the runner that executes a flow."""

from bedplate.services.session.errors import (
    FlowNotFoundError,
    NameTakenError,
    ProjectNotFoundError,
    SessionNotFoundError,
)
from bedplate.services.session.models import (
    AccessType,
    Build,
    CursorPage,
    Flow,
    FlowHeader,
    FlowPatch,
    FlowQuery,
    FlowSession,
    NewBuild,
    NewFlow,
    NewProject,
    NewTransaction,
    Page,
    Project,
    ProjectPatch,
    SessionStatus,
    Transaction,
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
    "SessionNotFoundError",
    "SessionService",
    "SessionStatus",
    "Transaction",
]
