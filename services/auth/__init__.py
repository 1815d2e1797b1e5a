"""The auth service: users, passwords, tokens, API keys, sessions, and the one verifier of them all."""

from bedplate.services.auth.api_keys import ApiKeys
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.models import (
    ApiKey,
    Client,
    Credentials,
    Method,
    NewApiKey,
    Principal,
    SessionCookie,
    SetupToken,
    TokenPair,
    User,
    UserChanges,
    UserPage,
)
from bedplate.services.auth.origins import PROXY_HEADERS, check_origin
from bedplate.services.auth.policy import AuthorizationPolicy, OwnershipPolicy, Resource
from bedplate.services.auth.records import AuditEvent, AuditPage, KeyRotation, LoginSession
from bedplate.services.auth.scopes import Scope
from bedplate.services.auth.service import AuthService
from bedplate.services.auth.sessions import COOKIE_NAME
from bedplate.services.auth.user_sessions import UserSessions
from bedplate.services.auth.users import Users

__all__ = [
    "COOKIE_NAME",
    "PROXY_HEADERS",
    "ApiKey",
    "ApiKeys",
    "Audit",
    "AuditEvent",
    "AuditKind",
    "AuditPage",
    "AuthService",
    "AuthorizationPolicy",
    "Client",
    "Credentials",
    "KeyRotation",
    "LoginSession",
    "Method",
    "NewApiKey",
    "OwnershipPolicy",
    "Principal",
    "Resource",
    "Scope",
    "SessionCookie",
    "SetupToken",
    "TokenPair",
    "User",
    "UserChanges",
    "UserPage",
    "UserSessions",
    "Users",
    "check_origin",
]
