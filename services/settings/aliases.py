"""Variables of Langflow: those that mean the same as a setting are read as it, the others are known by name.

What a ``BEDPLATE_*`` variable, a file of settings or a secret file gives goes before them; only a profile and the
defaults come after.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from bedplate.services.settings.keys import Key

__all__ = ["ALIASES", "ALIAS_PREFIX", "WITHOUT_COUNTERPART", "Alias"]

ALIAS_PREFIX = "LANGFLOW_"

_MIB = 1024 * 1024


class Alias(msgspec.Struct, frozen=True):
    """What a variable of Langflow is here.

    Attributes:
        key: The setting.
        convert: Turns the text into that of the setting; None from it means that the text says nothing.
    """

    key: Key
    convert: Callable[[str], str | None] = str


def _word(**meanings: str | None) -> Callable[[str], str | None]:
    """Replace some words, whatever their case, and keep all others for validation to judge."""
    return lambda text: meanings.get(text.strip().lower(), text)


def _if_true(meaning: str | None, otherwise: str | None = None) -> Callable[[str], str | None]:
    words = {"true": meaning, "1": meaning, "yes": meaning, "on": meaning}
    return _word(**words, false=otherwise, no=otherwise, off=otherwise, **{"0": otherwise})


def _mebibytes(text: str) -> str:
    return str(int(text) * _MIB) if text.strip().isdecimal() else text


def _lower(text: str) -> str:
    return text.strip().lower()


# In the order of precedence where two mean the same setting.
ALIASES: Mapping[str, Alias] = MappingProxyType(
    {
        "LANGFLOW_CONFIG_DIR": Alias(("data_dir",)),
        "LANGFLOW_SECRET_KEY": Alias(("secret_key",)),
        "LANGFLOW_HOST": Alias(("server", "host")),
        "LANGFLOW_PORT": Alias(("server", "port")),
        "LANGFLOW_CORS_ORIGINS": Alias(("server", "cors_origins")),
        "LANGFLOW_CORS_ALLOW_CREDENTIALS": Alias(("server", "cors_allow_credentials")),
        "LANGFLOW_LOG_LEVEL": Alias(("telemetry", "log_level"), lambda text: _word(critical="error")(_lower(text))),
        "LANGFLOW_DEACTIVATE_TRACING": Alias(("tracing", "backend"), _if_true("off")),
        "LANGFLOW_DATABASE_URL": Alias(("database", "url")),
        "LANGFLOW_POOL_SIZE": Alias(("database", "pool_size")),
        "LANGFLOW_CACHE_TYPE": Alias(("cache", "backend"), lambda text: _word(**{"async": "memory"})(_lower(text))),
        "LANGFLOW_CACHE_EXPIRE": Alias(("cache", "ttl")),
        "LANGFLOW_STORAGE_TYPE": Alias(("storage", "backend"), _lower),
        "LANGFLOW_MAX_FILE_SIZE_UPLOAD": Alias(("storage", "max_file_bytes"), _mebibytes),
        "LANGFLOW_STORE": Alias(("store", "enabled")),
        "LANGFLOW_VARIABLE_STORE": Alias(("variable", "backend"), lambda text: _word(db="database")(_lower(text))),
        "LANGFLOW_VARIABLES_TO_GET_FROM_ENVIRONMENT": Alias(("variable", "operator_variables")),
        "LANGFLOW_COMPONENTS_PATH": Alias(("shared_component_cache", "components_path")),
        "LANGFLOW_MAX_TRANSACTIONS_TO_KEEP": Alias(("session", "max_transactions_per_flow")),
        "LANGFLOW_MAX_VERTEX_BUILDS_TO_KEEP": Alias(("session", "max_builds_per_flow")),
        "LANGFLOW_MAX_VERTEX_BUILDS_PER_VERTEX": Alias(("session", "max_builds_per_vertex")),
        "LANGFLOW_ACCESS_TOKEN_EXPIRE_SECONDS": Alias(("auth", "access_token_ttl")),
        "LANGFLOW_REFRESH_TOKEN_EXPIRE_SECONDS": Alias(("auth", "refresh_token_ttl")),
        "LANGFLOW_AUTO_LOGIN": Alias(("auth", "auto_login")),
        "LANGFLOW_ENABLE_SIGNUP": Alias(("auth", "sign_up"), _if_true(None, otherwise="closed")),
        "LANGFLOW_NEW_USER_IS_ACTIVE": Alias(("auth", "sign_up"), _if_true("open", otherwise="approval")),
        "LANGFLOW_SUPERUSER": Alias(("auth", "superuser")),
        "LANGFLOW_SUPERUSER_PASSWORD": Alias(("auth", "superuser_password")),
        "LANGFLOW_ACCESS_SECURE": Alias(("auth", "cookie_secure")),
        "LANGFLOW_COOKIE_DOMAIN": Alias(("auth", "cookie_domain")),
    }
)
"""The variables that are read, and as what."""

_FRONTEND = "the frontend is not part of Bedplate"
_MCP = "there is no MCP server"
_ENGINE = "Redis, Celery and object storage have settings of their own, in the releases that have those backends"
_WRITTEN = "what a log holds and where it goes is decided by who runs the process: it writes to standard error"
_COOKIES = "the refresh token is never put into a cookie that pages can read"

WITHOUT_COUNTERPART: Mapping[str, str] = MappingProxyType(
    {
        f"LANGFLOW_{name}": reason
        for names, reason in (
            ("SAVE_DB_IN_CONFIG_DIR", "the database is always in the data directory, unless a URL says otherwise"),
            ("KNOWLEDGE_BASES_DIR", "there are no knowledge bases"),
            ("DEV", "set BEDPLATE_TELEMETRY__LOG_LEVEL=debug instead"),
            ("DATABASE_CONNECTION_RETRY", "let what runs the process start it again"),
            ("MAX_OVERFLOW DB_CONNECT_TIMEOUT DB_CONNECTION_SETTINGS DB_DRIVER_CONNECTION_SETTINGS SQLITE_PRAGMAS",
             "pooling and waiting are set by BEDPLATE_DATABASE__*"),
            ("USE_NOOP_DATABASE", "a database is always there: BEDPLATE_DATABASE__URL=sqlite:// keeps it in memory"),
            ("MCP_SERVER_TIMEOUT MCP_MAX_SESSIONS_PER_SERVER MCP_SESSION_IDLE_TIMEOUT MCP_SESSION_CLEANUP_INTERVAL "
             "MCP_SERVER_ENABLED MCP_SERVER_ENABLE_PROGRESS_NOTIFICATIONS MCP_COMPOSER_ENABLED MCP_COMPOSER_VERSION",
             _MCP),
            ("PROMETHEUS_ENABLED PROMETHEUS_PORT", "/metrics is always there, on the port of the server"),
            ("DISABLE_TRACK_APIKEY_USAGE", "the use of keys is recorded in batches, at next to no cost"),
            ("REMOVE_API_KEYS", "downloads leave out the value of every secret field, always"),
            ("LANGCHAIN_CACHE", "there is no LangChain in it"),
            ("LOAD_FLOWS_PATH BUNDLE_URLS CREATE_STARTER_PROJECTS UPDATE_STARTER_PROJECTS",
             "flows are uploaded over HTTP"),
            ("LAZY_LOAD_COMPONENTS", "components are loaded once, at start"),
            ("REDIS_HOST REDIS_PORT REDIS_DB REDIS_URL REDIS_CACHE_EXPIRE CELERY_ENABLED JOB_QUEUE_TYPE "
             "OBJECT_STORAGE_BUCKET_NAME OBJECT_STORAGE_PREFIX OBJECT_STORAGE_TAGS", _ENGINE),
            ("SENTRY_DSN SENTRY_TRACES_SAMPLE_RATE SENTRY_PROFILES_SAMPLE_RATE", "nothing is sent to Sentry"),
            ("STORE_URL DOWNLOAD_WEBHOOK_URL LIKE_WEBHOOK_URL", "the store is set by BEDPLATE_STORE__*"),
            ("FALLBACK_TO_ENV_VAR STORE_ENVIRONMENT_VARIABLES",
             "the server's environment is copied into no vault; name what flows may use in "
             "BEDPLATE_VARIABLE__OPERATOR_VARIABLES"),
            ("WORKERS", "a process is one worker: start replicas, and say how many in BEDPLATE_SERVER__REPLICAS"),
            ("WORKER_TIMEOUT", "a job has its own limit, BEDPLATE_JOB_QUEUE__JOB_TIMEOUT"),
            ("FRONTEND_TIMEOUT FRONTEND_PATH BACKEND_ONLY OPEN_BROWSER AUTO_SAVING AUTO_SAVING_INTERVAL "
             "HEALTH_CHECK_MAX_RETRIES WEBHOOK_POLLING_INTERVAL", _FRONTEND),
            ("FS_FLOWS_POLLING_INTERVAL", "flows are never written to files of the server"),
            ("USER_AGENT", "set it where a component sends it"),
            ("CORS_ALLOW_METHODS CORS_ALLOW_HEADERS", "they follow from what the routes accept"),
            ("DO_NOT_TRACK TELEMETRY_BASE_URL", "nothing is tracked"),
            ("TRANSACTIONS_STORAGE_ENABLED VERTEX_BUILDS_STORAGE_ENABLED",
             "they are stored, masked and bounded: see BEDPLATE_SESSION__MAX_BUILDS_PER_FLOW"),
            ("LOG_FILE ALEMBIC_LOG_FILE LOG_ROTATION LOG_FORMAT LOG_ENV", _WRITTEN),
            ("SSL_CERT_FILE SSL_KEY_FILE", "TLS is ended by the proxy in front of the server"),
            ("MAX_TEXT_LENGTH MAX_ITEMS_LENGTH",
             "see BEDPLATE_TRACING__MAX_VALUE_BYTES and BEDPLATE_TRACING__MAX_VALUE_ITEMS"),
            ("PUBLIC_FLOW_CLEANUP_INTERVAL PUBLIC_FLOW_EXPIRATION", "see BEDPLATE_SESSION__IDLE_TTL"),
            ("EVENT_DELIVERY", "a client chooses it with each request"),
            ("ALGORITHM API_KEY_ALGORITHM API_V1_STR SKIP_AUTH_AUTO_LOGIN ENABLE_SUPERUSER_CLI WEBHOOK_AUTH_ENABLE "
             "API_KEY_SOURCE CACHE_SIGNING_KEY", "there is no way to weaken it"),
            ("REFRESH_SAME_SITE REFRESH_SECURE REFRESH_HTTPONLY ACCESS_SAME_SITE ACCESS_HTTPONLY", _COOKIES),
            ("FEATURE_MVP_COMPONENTS FEATURE_WXO_DEPLOYMENTS FEATURE_INSTANCE_MIGRATION "
             "FEATURE_DATA_SUBJECT_REQUESTS", "there is no such feature; flags of your own are BEDPLATE_FLAGS__*"),
            ("NATIVE_TRACING", "it is always on, see BEDPLATE_TRACING__BACKEND"),
        )
        for name in names.split()
    }
)  # fmt: skip
"""The variables that do nothing here, and why."""
