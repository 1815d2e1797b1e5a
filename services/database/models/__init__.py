"""Every table, one module each; importing this package registers all of them on ``metadata``."""

from bedplate.services.database.models.api_key import ApiKeyRow
from bedplate.services.database.models.audit_event import AuditEventRow
from bedplate.services.database.models.auth_session import AuthSessionRow
from bedplate.services.database.models.base import (
    PREFIX,
    Table,
    UTCDateTime,
    metadata,
    new_id,
    utc_now,
)
from bedplate.services.database.models.file import FileRow
from bedplate.services.database.models.flow import FlowRow
from bedplate.services.database.models.flow_session import FlowSessionRow
from bedplate.services.database.models.folder import FolderRow
from bedplate.services.database.models.identity import IdentityRow
from bedplate.services.database.models.job import InstanceRow, JobEventRow, JobRow
from bedplate.services.database.models.login_throttle import LoginThrottleRow
from bedplate.services.database.models.message import MessageRow
from bedplate.services.database.models.setup_token import SetupTokenRow
from bedplate.services.database.models.store_component import StoreComponentRow
from bedplate.services.database.models.store_like import StoreLikeRow
from bedplate.services.database.models.store_tag import StoreTagRow
from bedplate.services.database.models.store_version import StoreVersionRow
from bedplate.services.database.models.stored_file import StoredFileRow, StoredWasteRow
from bedplate.services.database.models.task_run import TaskRunRow
from bedplate.services.database.models.trace import SpanRow, TraceRow
from bedplate.services.database.models.transaction import TransactionRow
from bedplate.services.database.models.user import UserRow
from bedplate.services.database.models.variable import EncryptionKeyRow, VariableRow, VariableVersionRow
from bedplate.services.database.models.vertex_build import VertexBuildRow

__all__ = [
    "PREFIX",
    "ApiKeyRow",
    "AuditEventRow",
    "AuthSessionRow",
    "EncryptionKeyRow",
    "FileRow",
    "FlowRow",
    "FlowSessionRow",
    "FolderRow",
    "IdentityRow",
    "InstanceRow",
    "JobEventRow",
    "JobRow",
    "LoginThrottleRow",
    "MessageRow",
    "SetupTokenRow",
    "SpanRow",
    "StoreComponentRow",
    "StoreLikeRow",
    "StoreTagRow",
    "StoreVersionRow",
    "StoredFileRow",
    "StoredWasteRow",
    "Table",
    "TaskRunRow",
    "TraceRow",
    "TransactionRow",
    "UTCDateTime",
    "UserRow",
    "VariableRow",
    "VariableVersionRow",
    "VertexBuildRow",
    "metadata",
    "new_id",
    "utc_now",
]
