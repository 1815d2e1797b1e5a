"""CHAT-1: chat sessions."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from bedplate.services.chat import ChatService, MessageTooLargeError, SessionExistsError, SessionNotFoundError
from bedplate.services.errors import ConflictError, InvalidInputError, NotFoundError
from bedplate.wiring.testing.chat.harness import ChatFixtures, NewMessages

__all__ = ["Sessions"]

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Sessions(ChatFixtures):
    """CHAT-1 and ALL-4."""

    @pytest.fixture
    async def sessions(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """Two sessions of the user, two of another."""
        await chat.append_many(
            user,
            [
                new("1", session_id="first", timestamp=MOMENT, flow_id=flow),
                new("2", session_id="second", timestamp=MOMENT + timedelta(hours=1)),
                new("3", session_id="first", timestamp=MOMENT + timedelta(hours=2), flow_id=flow),
            ],
        )
        await chat.append(other, new("theirs", session_id="first"))
        await chat.append(other, new("theirs", session_id="third"))

    async def test_sessions_are_listed_latest_active_first(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, flow: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1, ALL-4: distinct, by user and flow."""
        assert list(await chat.sessions(user)) == ["first", "second"]
        assert list(await chat.sessions(user, flow)) == ["first"]
        assert list(await chat.sessions(user, limit=1)) == ["first"]
        assert list(await chat.sessions(other, flow)) == []
        assert list(await chat.sessions(user, uuid.uuid4())) == []

    async def test_session_is_renamed_with_all_its_messages(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1: rename; another user's session of the same name stays."""
        assert await chat.rename_session(user, "first", "renamed") == 2
        assert list(await chat.sessions(user)) == ["renamed", "second"]
        assert [message.text for message in (await chat.list(user, session_id="renamed")).items] == ["1", "3"]
        assert sorted(await chat.sessions(other)) == ["first", "third"]
        assert not any(message.edit for message in (await chat.list(user)).items)

    async def test_rename_onto_a_session_that_is_there_is_a_conflict(
        self, chat: ChatService, user: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1: sessions are never merged by accident; another user's name is no obstacle."""
        with pytest.raises(SessionExistsError) as caught:
            await chat.rename_session(user, "first", "second")
        assert isinstance(caught.value, ConflictError)
        assert len((await chat.list(user, session_id="first")).items) == 2
        assert await chat.rename_session(user, "first", "third") == 2
        assert await chat.rename_session(user, "third", "third") == 2

    async def test_renames_onto_one_name_at_once_let_one_win(
        self, chat: ChatService, user: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1: also under concurrency."""
        results = await asyncio.gather(
            chat.rename_session(user, "first", "new"),
            chat.rename_session(user, "second", "new"),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["SessionExistsError", "int"]

    async def test_rename_of_a_session_that_is_not_there(
        self, chat: ChatService, user: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1, ALL-4: another user's session answers as a missing one."""
        for name in ("third", "nowhere"):
            with pytest.raises(SessionNotFoundError) as caught:
                await chat.rename_session(user, name, "new")
            assert isinstance(caught.value, NotFoundError)

    async def test_rename_to_a_name_that_makes_no_sense(
        self, chat: ChatService, user: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1: bad input is a typed error."""
        with pytest.raises(InvalidInputError):
            await chat.rename_session(user, "first", "")
        with pytest.raises(MessageTooLargeError):
            await chat.rename_session(user, "first", "x" * 256)

    async def test_session_is_deleted_with_all_its_messages(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, sessions: None
    ) -> None:
        """CHAT-1, ALL-4: delete; twice is no error, and another user's session of that name stays."""
        assert await chat.delete_session(user, "first") == 2
        assert await chat.delete_session(user, "first") == 0
        assert list(await chat.sessions(user)) == ["second"]
        assert len((await chat.list(other)).items) == 2

    async def test_health_and_start_twice(self, chat: ChatService) -> None:
        """ALL-1: idempotent, and healthy."""
        await chat.start()
        assert (await chat.health()).status == "up"
