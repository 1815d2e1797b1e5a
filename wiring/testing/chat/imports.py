"""CHAT-1 and DB-1: many messages at once."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from bedplate.services.chat import ChatService, MessageTooLargeError
from bedplate.services.errors import ConflictError, InvalidInputError, NotFoundError
from bedplate.wiring.testing.chat.harness import ChatFixtures, ChatHarness, NewMessages
from bedplate.wiring.testing.chat.messages import MOMENT

__all__ = ["Imports"]


class Imports(ChatFixtures):
    """CHAT-1 and ALL-4."""

    async def test_imported_messages_are_as_appended_ones(
        self, chat: ChatService, user: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: each field, ids given and made, texts that no encoder can hold."""
        fields: dict[str, Any] = {
            "flow_id": flow,
            "run_id": uuid.uuid4(),
            "timestamp": MOMENT,
            "files": ("a.txt",),
            "properties": {"icon": "bot", "half": "\ud83d", "null": "a\0b", "back": "\\u0000"},
            "content_blocks": ({"title": "t", "contents": []},),
        }
        given = uuid.uuid4()
        count = await chat.import_all(user, [new("Grüße 👋\0", id=given, session_id="one", **fields), new("plain")])
        appended = await chat.append(user, new("Grüße 👋\0", session_id="two", **fields))
        imported = await chat.get(user, given)
        assert count == 2
        for name in imported.__struct_fields__:
            if name not in ("id", "session_id"):
                assert getattr(imported, name) == getattr(appended, name), name
        assert [message.text for message in (await chat.list(user)).items if message.text == "plain"] == ["plain"]

    async def test_thousands_are_imported_in_order_while_the_loop_goes_on(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: from anything that can be gone through."""
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        messages = (new(str(number), timestamp=MOMENT + timedelta(seconds=number)) for number in range(1200))
        assert await chat.import_all(user, messages) == 1200
        turning.cancel()
        assert turns > 10
        page = await chat.list(user, limit=1000)
        assert [int(message.text) for message in page.items] == list(range(1000))

    async def test_all_are_imported_or_none(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: whatever is wrong with the last: an id that is there, of anyone; a message that cannot be stored."""
        theirs = await chat.append(other, new())
        many = [new(str(number)) for number in range(300)]
        for bad, error in (
            (new("x", id=theirs.id), ConflictError),
            (new("x", sender=""), InvalidInputError),
            (new("x" * (2 << 20)), MessageTooLargeError),
        ):
            with pytest.raises(error):
                await chat.import_all(user, [*many, bad])
        twice = uuid.uuid4()
        with pytest.raises(ConflictError):
            await chat.import_all(user, [new("a", id=twice), *many, new("b", id=twice)])
        assert (await chat.list(user)).items == ()
        assert (await chat.get(other, theirs.id)) == theirs

    async def test_foreign_flows_and_unknown_users_are_refused(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """ALL-4: a flow of another user is none."""
        for owner, flow_id in ((other, flow), (user, uuid.uuid4()), (uuid.uuid4(), None)):
            with pytest.raises(NotFoundError):
                await chat.import_all(owner, [new(flow_id=flow_id)])

    async def test_an_import_is_bounded(self, harness: ChatHarness, user: uuid.UUID, new: NewMessages) -> None:
        """ALL-6: by a setting."""
        chat = await harness.chat(max_import=10)
        with pytest.raises(MessageTooLargeError, match="MAX_IMPORT"):
            await chat.import_all(user, (new() for _ in range(11)))
        assert await chat.import_all(user, (new() for _ in range(10))) == 10
        assert await chat.import_all(user, ()) == 0
