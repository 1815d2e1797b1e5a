"""A Langflow 1.6 installation, as far as an import sees one: its tables, its key, its folder."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bcrypt
import sqlalchemy as sa
from cryptography.fernet import Fernet

__all__ = ["ADA_KEY", "OPENAI_KEY", "PASSWORD", "Installation"]

PASSWORD = "an analytical engine"
ADA_KEY = "sk-Vx0f6C1wGm2nPq8sT4uY7zA9bD3eH5jK6lM0oR2v"
OPENAI_KEY = "sk-proj-canary-0123456789-abcdefghijklmnop"
MOMENT = datetime(2025, 9, 1, 12, 30, 0, 123456, tzinfo=UTC)

METADATA = sa.MetaData()
_JSON = sa.JSON(none_as_null=True)


def _table(name: str, *columns: sa.Column[Any], key: str = "id") -> sa.Table:
    return sa.Table(name, METADATA, sa.Column(key, sa.Uuid(), primary_key=True), *columns)


USER = _table(
    "user",
    sa.Column("username", sa.String(), unique=True, nullable=False),
    sa.Column("password", sa.String(), nullable=False),
    sa.Column("profile_image", sa.String()),
    sa.Column("is_active", sa.Boolean(), nullable=False, default=True),
    sa.Column("is_superuser", sa.Boolean(), nullable=False, default=False),
    sa.Column("create_at", sa.DateTime(), default=MOMENT.replace(tzinfo=None)),
    sa.Column("updated_at", sa.DateTime()),
    sa.Column("last_login_at", sa.DateTime()),
    sa.Column("store_api_key", sa.String()),
    sa.Column("optins", _JSON),
)
APIKEY = _table(
    "apikey",
    sa.Column("api_key", sa.String(), unique=True, nullable=False),
    sa.Column("name", sa.String()),
    sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.current_timestamp()),
    sa.Column("last_used_at", sa.DateTime()),
    sa.Column("total_uses", sa.Integer(), default=0),
    sa.Column("is_active", sa.Boolean(), default=True),
    sa.Column("user_id", sa.Uuid(), nullable=False),
)
FOLDER = _table(
    "folder",
    sa.Column("name", sa.String(), nullable=False),
    sa.Column("description", sa.Text()),
    sa.Column("auth_settings", _JSON),
    sa.Column("parent_id", sa.Uuid()),
    sa.Column("user_id", sa.Uuid()),
)
FLOW = _table(
    "flow",
    sa.Column("name", sa.String(), nullable=False),
    sa.Column("description", sa.Text()),
    sa.Column("icon", sa.String()),
    sa.Column("icon_bg_color", sa.String()),
    sa.Column("gradient", sa.String()),
    sa.Column("data", _JSON),
    sa.Column("is_component", sa.Boolean(), default=False),
    sa.Column("updated_at", sa.DateTime()),
    sa.Column("webhook", sa.Boolean(), default=False),
    sa.Column("endpoint_name", sa.String()),
    sa.Column("tags", _JSON),
    sa.Column("locked", sa.Boolean(), default=False),
    sa.Column("mcp_enabled", sa.Boolean(), default=False),
    sa.Column("action_name", sa.String()),
    sa.Column("action_description", sa.Text()),
    sa.Column("access_type", sa.Enum("PRIVATE", "PUBLIC", name="access_type_enum"), default="PRIVATE"),
    sa.Column("fs_path", sa.String()),
    sa.Column("user_id", sa.Uuid()),
    sa.Column("folder_id", sa.Uuid()),
)
MESSAGE = _table(
    "message",
    sa.Column("timestamp", sa.DateTime(), nullable=False, default=MOMENT.replace(tzinfo=None)),
    sa.Column("sender", sa.String(), nullable=False, default="User"),
    sa.Column("sender_name", sa.String(), nullable=False, default="Ada"),
    sa.Column("session_id", sa.String(), nullable=False, default="a session"),
    sa.Column("text", sa.Text()),
    sa.Column("files", _JSON, default=[]),
    sa.Column("error", sa.Boolean(), nullable=False, default=False),
    sa.Column("edit", sa.Boolean(), nullable=False, default=False),
    sa.Column("properties", _JSON),
    sa.Column("category", sa.Text()),
    sa.Column("content_blocks", _JSON),
    sa.Column("flow_id", sa.Uuid()),
)
VARIABLE = _table(
    "variable",
    sa.Column("name", sa.String(), nullable=False),
    sa.Column("value", sa.String(), nullable=False),
    sa.Column("type", sa.String(), default="Credential"),
    sa.Column("default_fields", _JSON),
    sa.Column("created_at", sa.DateTime(timezone=True), default=MOMENT),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
    sa.Column("user_id", sa.Uuid(), nullable=False),
)
FILE = _table(
    "file",
    sa.Column("user_id", sa.Uuid(), nullable=False),
    sa.Column("name", sa.String()),
    sa.Column("path", sa.String()),
    sa.Column("size", sa.Integer(), default=0),
    sa.Column("provider", sa.String()),
    sa.Column("created_at", sa.DateTime(timezone=True), default=MOMENT),
    sa.Column("updated_at", sa.DateTime(timezone=True), default=MOMENT),
)
TRANSACTION = _table("transaction", sa.Column("vertex_id", sa.String()), sa.Column("flow_id", sa.Uuid()))


class Installation:
    """A database of Langflow with its folder; rows are added with :meth:`add`.

    Args:
        url: A synchronous URL of an empty database.
        folder: An empty folder.
        secret_key: Its secret key.
    """

    def __init__(self, url: str, folder: Path, secret_key: str) -> None:
        self.url = url
        self.folder = folder
        self.secret_key = secret_key
        self._engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        METADATA.create_all(self._engine)

    def add(self, table: sa.Table, **values: Any) -> uuid.UUID:
        """Add a row; returns its id."""
        key = values.pop("id", None) or uuid.uuid4()
        with self._engine.begin() as connection:
            connection.execute(sa.insert(table).values(id=key, **values))
        return key

    def execute(self, statement: str) -> None:
        """Run a statement."""
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement))

    def user(self, name: str = "ada", password: str = PASSWORD, **values: Any) -> uuid.UUID:
        """Add a user, whose password is hashed as Langflow does, if at less cost."""
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        return self.add(USER, **{"username": name, "password": hashed} | values)

    def flow(self, user_id: uuid.UUID | None, name: str = "a flow", **values: Any) -> uuid.UUID:
        """Add a flow."""
        return self.add(FLOW, **{"name": name, "user_id": user_id, "data": {"nodes": [], "edges": []}} | values)

    def variable(self, user_id: uuid.UUID, name: str, value: str, **values: Any) -> uuid.UUID:
        """Add a variable, whose value is encrypted as Langflow does with a key of 43 characters or so."""
        token = Fernet(self.secret_key + "=" * (-len(self.secret_key) % 4)).encrypt(value.encode()).decode()
        return self.add(VARIABLE, **{"user_id": user_id, "name": name, "value": token} | values)

    def file(self, user_id: uuid.UUID, filename: str, content: bytes | None, **values: Any) -> uuid.UUID:
        """Add a file to the list of a user, with its content unless that is None."""
        if content is not None:
            self.content(user_id, filename, content)
        stem = filename.rpartition(".")[0]
        return self.add(FILE, **{"user_id": user_id, "name": stem, "path": f"{user_id}/{filename}"} | values)

    def content(self, folder: uuid.UUID, filename: str, content: bytes) -> Path:
        """Put a file into the folder of a user or flow."""
        path = self.folder / str(folder) / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
