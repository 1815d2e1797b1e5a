"""A chat service, two users, and a flow of the first."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bedplate.services.chat import ChatService, NewMessage
from bedplate.services.chat.factory import build_chat
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, FolderRow, UserRow
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
async def chat(
    settings: SettingsService, telemetry: TelemetryService, database: DatabaseService
) -> AsyncIterator[ChatService]:
    service = build_chat(settings, telemetry, database)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def user(database: DatabaseService) -> uuid.UUID:
    return await _add_user(database, "ann")


@pytest.fixture
async def other(database: DatabaseService) -> uuid.UUID:
    return await _add_user(database, "bob")


@pytest.fixture
async def flow(database: DatabaseService, user: uuid.UUID) -> uuid.UUID:
    folder = FolderRow(user_id=user, name="Starter Project")
    row = FlowRow(user_id=user, folder_id=folder.id, name="flow", data={"nodes": [], "edges": []})
    async with database.transaction() as session:
        session.add(folder)
        await session.flush()
        session.add(row)
    return row.id


@pytest.fixture
def new() -> Callable[..., NewMessage]:
    def make(text: str = "hello", **values: Any) -> NewMessage:
        return NewMessage(**{"session_id": "s", "sender": "User", "sender_name": "Ann", "text": text, **values})

    return make


async def _add_user(database: DatabaseService, name: str) -> uuid.UUID:
    row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
    async with database.transaction() as session:
        session.add(row)
    return row.id
