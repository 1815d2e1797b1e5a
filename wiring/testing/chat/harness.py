"""What the suite needs of the backend that it is run against."""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from bedplate.services.chat import ChatService, NewMessage
from bedplate.wiring.testing.suite import Suite

__all__ = ["ChatFixtures", "ChatHarness", "NewMessages"]

NewMessages = Callable[..., NewMessage]
"""Makes a message of a text, with other fields as told."""


class ChatHarness(Protocol):
    """How the suite comes by chat services, users and flows."""

    async def chat(self, **settings: Any) -> ChatService:
        """A started service with these settings of the chat group; all of them see the same messages."""
        ...

    async def user(self) -> uuid.UUID:
        """A new user."""
        ...

    async def flow(self, user_id: uuid.UUID) -> uuid.UUID:
        """A new flow of the user."""
        ...


class ChatFixtures(Suite):
    """A service, two users, and a flow of the first."""

    @pytest.fixture
    async def chat(self, harness: ChatHarness) -> ChatService:
        """A service with default settings."""
        return await harness.chat()

    @pytest.fixture
    async def user(self, harness: ChatHarness) -> uuid.UUID:
        """A user."""
        return await harness.user()

    @pytest.fixture
    async def other(self, harness: ChatHarness) -> uuid.UUID:
        """Another user."""
        return await harness.user()

    @pytest.fixture
    async def flow(self, harness: ChatHarness, user: uuid.UUID) -> uuid.UUID:
        """A flow of the user."""
        return await harness.flow(user)

    @pytest.fixture
    def new(self) -> NewMessages:
        """Makes messages."""

        def make(text: str = "hello", **values: Any) -> NewMessage:
            return NewMessage(**{"session_id": "s", "sender": "User", "sender_name": "Ann", "text": text, **values})

        return make
