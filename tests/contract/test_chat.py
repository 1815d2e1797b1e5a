"""CHAT-1 and CHAT-2: the backend of the chat service, by the suite for all of them."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlmodel import select

from bedplate.services.chat import ChatService, MessageOrder
from bedplate.services.chat.factory import build_chat
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, FolderRow, MessageRow, UserRow, new_id
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.chat import ChatConformance

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Harness:
    """Chat services over one database."""

    def __init__(self, folder: Path, telemetry: TelemetryService, database: DatabaseService) -> None:
        self._folder = folder
        self._telemetry = telemetry
        self._database = database

    async def chat(self, **values: Any) -> ChatService:
        settings = SettingsService(profile="test", data_dir=self._folder, chat=values)
        service = build_chat(settings, self._telemetry, self._database)
        await service.start()
        return service

    async def user(self) -> uuid.UUID:
        name = str(new_id())
        row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
        async with self._database.transaction() as session:
            session.add(row)
        return row.id

    async def flow(self, user_id: uuid.UUID) -> uuid.UUID:
        folder = FolderRow(user_id=user_id, name="Starter Project")
        row = FlowRow(user_id=user_id, folder_id=folder.id, name="flow", data={"nodes": [], "edges": []})
        async with self._database.transaction() as session:
            session.add(folder)
            await session.flush()
            session.add(row)
        return row.id


@pytest.fixture
async def harness(tmp_path: Path, telemetry: TelemetryService, database: DatabaseService) -> Harness:
    return Harness(tmp_path, telemetry, database)


class TestDatabase(ChatConformance):
    # A class for each backend inherits it, with a database of its own.
    @hypothesis_settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(
        minutes=st.lists(st.integers(0, 3), max_size=12),
        limit=st.integers(1, 5),
        order=st.sampled_from(list(MessageOrder)),
    )
    async def test_pages_cover_the_list_in_order_without_gap_or_repetition(
        self, chat, user, new, minutes, limit, order
    ):
        """CHAT-1: a cursor over (time, id), also where times are equal."""
        session_id = str(uuid.uuid4())
        await chat.append_many(
            user, [new(session_id=session_id, timestamp=MOMENT + timedelta(minutes=minute)) for minute in minutes]
        )
        seen, cursor = [], None
        while True:
            page = await chat.list(user, session_id=session_id, limit=limit, order=order, cursor=cursor)
            assert len(page.items) <= limit
            seen += [(message.timestamp, message.id) for message in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == sorted(seen, reverse=order is MessageOrder.NEWEST_FIRST)
        assert len(set(seen)) == len(minutes)

    async def test_messages_go_with_their_flow_and_their_user(self, chat, user, flow, new, database):
        """CHAT-1, prior defect: messages had neither owner nor flow that bound them."""
        await chat.append_many(user, [new(flow_id=flow), new()])
        for gone, left in ((FlowRow, 1), (UserRow, 0)):
            async with database.transaction() as session:
                await session.delete(await session.get(gone, flow if gone is FlowRow else user))
            async with database.session() as session:
                assert len((await session.exec(select(MessageRow))).all()) == left


@pytest.mark.postgres
class TestPostgres(TestDatabase):
    """The same over PostgreSQL."""

    backend = "database (PostgreSQL)"
