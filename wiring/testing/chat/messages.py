"""CHAT-1 and CHAT-2: messages."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bedplate.services.chat import ChatService, MessageNotFoundError, MessageStatus, MessageTooLargeError
from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.chat.harness import ChatFixtures, ChatHarness, NewMessages

__all__ = ["Messages"]

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Messages(ChatFixtures):
    """CHAT-1, CHAT-2, ALL-4 and ALL-6."""

    async def test_message_comes_back_as_it_was_appended(
        self, chat: ChatService, user: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: sender, text, files, properties, content blocks and errors are kept."""
        run_id, message_id = uuid.uuid4(), uuid.uuid4()
        message = new(
            "Grüße 👋",
            id=message_id,
            flow_id=flow,
            run_id=run_id,
            timestamp=MOMENT,
            files=("a/b.txt",),
            properties={"icon": "bot", "source": {"id": "x"}},
            content_blocks=({"title": "t", "contents": [{"type": "text", "text": "x"}]},),
            category="error",
            error=True,
            status=MessageStatus.CANCELLED,
        )
        stored = await chat.append(user, message)
        assert stored == await chat.get(user, message_id)
        for field in msgspec.structs.fields(message):
            assert getattr(stored, field.name) == getattr(message, field.name)
        assert (stored.user_id, stored.edit) == (user, False)

    async def test_message_gets_an_id_and_a_time(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-1: both are made where the caller gives none, in UTC."""
        begun = datetime.now(UTC)
        stored = await chat.append(user, new())
        assert begun <= stored.timestamp <= datetime.now(UTC)
        assert stored.id.version == 7

    async def test_message_with_a_known_id_is_replaced(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-2: a finished message is stored once, however often it is told; its place in time stays."""
        first = await chat.append(user, new("part", timestamp=MOMENT, status=MessageStatus.PARTIAL))
        again = new("whole", id=first.id, sender="Machine", sender_name="AI", timestamp=MOMENT + timedelta(hours=1))
        second = await chat.append(user, again)
        assert [message.text for message in (await chat.list(user)).items] == ["whole"]
        assert (second.timestamp, second.sender, second.status) == (MOMENT, "Machine", MessageStatus.COMPLETE)
        assert not second.edit

    async def test_same_message_appended_at_once_is_stored_once(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-2: also under concurrency."""
        message_id = uuid.uuid4()
        await asyncio.gather(*(chat.append(user, new(str(number), id=message_id)) for number in range(10)))
        assert len((await chat.list(user)).items) == 1

    async def test_several_messages_are_stored_together_or_not_at_all(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: a batch is one transaction."""
        theirs = await chat.append(other, new())
        with pytest.raises(NotFoundError):
            await chat.append_many(user, [new("a"), new("b", id=theirs.id)])
        assert (await chat.list(user)).items == ()
        message_id = uuid.uuid4()
        stored = await chat.append_many(user, [new("a"), new("b", id=message_id), new("c", id=message_id)])
        assert [message.text for message in stored] == ["a", "c", "c"]
        assert [message.text for message in (await chat.list(user)).items] == ["a", "c"]

    async def test_cursor_holds_while_messages_are_added_and_deleted(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: what changes elsewhere neither repeats nor hides a message."""
        stored = await chat.append_many(user, [new(timestamp=MOMENT + timedelta(minutes=n)) for n in range(1, 5)])
        page = await chat.list(user, limit=2)
        await chat.append(user, new(timestamp=MOMENT))
        await chat.delete(user, [stored[1].id])
        rest = await chat.list(user, limit=10, cursor=page.next_cursor)
        assert [message.id for message in rest.items] == [message.id for message in stored[2:]]

    async def test_list_is_filtered(
        self, chat: ChatService, user: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: by flow, session, sender and name."""
        await chat.append_many(
            user,
            [
                new("1", flow_id=flow),
                new("2", session_id="t"),
                new("3", sender="Machine"),
                new("4", sender_name="AI"),
            ],
        )
        filters = ({"flow_id": flow}, {"session_id": "t"}, {"sender": "Machine"}, {"sender_name": "AI"})
        found = [[message.text for message in (await chat.list(user, **each)).items] for each in filters]
        assert found == [["1"], ["2"], ["3"], ["4"]]

    async def test_cursor_that_was_not_made_here_is_refused(self, chat: ChatService, user: uuid.UUID) -> None:
        """CHAT-1: bad input is a typed error."""
        for cursor in ("", "nonsense", "MjAyNi8x", "é"):
            with pytest.raises(InvalidInputError, match="cursor"):
                await chat.list(user, cursor=cursor)

    async def test_history_is_the_newest_of_a_session_without_the_run_itself(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1, SES-3: what a component remembers."""
        run_id = uuid.uuid4()
        messages = [new(str(n), timestamp=MOMENT + timedelta(minutes=n)) for n in range(6)]
        await chat.append_many(user, [*messages, new("own", run_id=run_id), new("elsewhere", session_id="t")])
        history = await chat.history(user, "s", without_run=run_id, limit=3)
        assert [message.text for message in history] == ["3", "4", "5"]
        assert [message.text for message in await chat.history(user, "s", limit=2)] == ["5", "own"]
        assert len(await chat.history(user, "s")) == 7
        assert await chat.history(user, "s", limit=0) == []

    async def test_only_a_text_that_differs_marks_a_message_as_edited(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: an edit; the contract says that an equal text is none."""
        stored = await chat.append(user, new("old"))
        same = await chat.update(user, stored.id, text="old", sender_name="Anna", files=["f"], properties={"a": 1})
        assert (same.edit, same.sender_name, same.files, same.properties) == (False, "Anna", ("f",), {"a": 1})
        changed = await chat.update(user, stored.id, text="new")
        assert (changed.edit, changed.text, changed.properties) == (True, "new", {"a": 1})
        assert changed == await chat.get(user, stored.id)
        assert not (await chat.update(user, stored.id, edit=False)).edit
        assert (await chat.update(user, stored.id, error=True, session_id="t", sender="Machine")).session_id == "t"

    async def test_delete_passes_over_what_is_not_there(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1, ALL-4: deleting names what was deleted, and touches nobody else's."""
        mine, theirs = await chat.append(user, new()), await chat.append(other, new())
        assert await chat.delete(user, [mine.id, theirs.id, uuid.uuid4()]) == 1
        assert await chat.delete(user, [mine.id]) == 0
        assert await chat.get(other, theirs.id) == theirs

    async def test_messages_of_another_user_are_not_there(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """ALL-4: get, list, change and append under another user's id answer as for a missing one."""
        stored = await chat.append(user, new(flow_id=flow))
        with pytest.raises(MessageNotFoundError):
            await chat.get(other, stored.id)
        with pytest.raises(MessageNotFoundError):
            await chat.update(other, stored.id, text="mine")
        with pytest.raises(MessageNotFoundError):
            await chat.append(other, new("mine", id=stored.id))
        with pytest.raises(NotFoundError, match="flow"):
            await chat.append(other, new(flow_id=flow))
        assert (await chat.list(other)).items == ()
        assert await chat.history(other, "s") == []
        assert await chat.get(user, stored.id) == stored

    async def test_message_of_a_user_who_is_not_there_is_refused(self, chat: ChatService, new: NewMessages) -> None:
        """CHAT-1: a typed error, not one of the database."""
        with pytest.raises(NotFoundError, match="user"):
            await chat.append(uuid.uuid4(), new())

    @pytest.mark.parametrize(
        ("values", "fix"),
        [
            ({"text": "ü" * 51}, "MAX_MESSAGE_BYTES"),
            ({"properties": {"x": "y" * 300}}, "MAX_DETAILS_BYTES"),
            ({"content_blocks": ({"title": "y" * 300},)}, "MAX_DETAILS_BYTES"),
            ({"files": ("y" * 300,)}, "MAX_DETAILS_BYTES"),
            ({"session_id": "y" * 256}, "MAX_NAME_CHARS"),
            ({"sender": "y" * 256}, "MAX_NAME_CHARS"),
        ],
    )
    async def test_what_is_too_large_is_refused(
        self, harness: ChatHarness, user: uuid.UUID, new: NewMessages, values: dict[str, Any], fix: str
    ) -> None:
        """CHAT-1, ALL-6: each limit names its setting; nothing is stored."""
        chat = await harness.chat(max_message_bytes=100, max_details_bytes=300)
        with pytest.raises(MessageTooLargeError) as caught:
            await chat.append(user, new(**values))
        assert f"BEDPLATE_CHAT__{fix}" in str(caught.value)
        assert (await chat.list(user)).items == ()
        await chat.append(user, new("ü" * 50))

    async def test_batches_are_bounded(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """ALL-6: ``max_batch``."""
        with pytest.raises(MessageTooLargeError, match="MAX_BATCH"):
            await chat.append_many(user, [new()] * 1001)
        with pytest.raises(MessageTooLargeError, match="MAX_BATCH"):
            await chat.delete(user, [uuid.uuid4() for _ in range(1001)])

    @pytest.mark.parametrize(
        "values",
        [
            {"session_id": ""},
            {"sender": ""},
            {"category": ""},
            {"properties": {"x": object()}},
            {"timestamp": datetime(2026, 1, 1)},  # noqa: DTZ001 - a naive time is what is refused
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages, values: dict[str, Any]
    ) -> None:
        """CHAT-1: bad input is a typed error with the fix."""
        with pytest.raises(InvalidInputError) as caught:
            await chat.append(user, new(**values))
        assert caught.value.fix

    async def test_text_that_no_database_can_hold_is_repaired(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-1: half a surrogate pair or a null character costs that character, not the message."""
        stored = await chat.append(user, new("a\ud83d b\0 \ud83d\ude00", properties={"k\0": "\ud83d"}))
        assert stored.text == "a\ufffd b\ufffd \U0001f600"
        assert stored.properties == {"k\ufffd": "\ufffd"}
        assert await chat.get(user, stored.id) == stored

    async def test_append_that_is_cancelled_stores_all_or_nothing(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """ALL-1: wherever a cancellation strikes, half a batch is never stored, and the service goes on."""

        async def work() -> None:
            await chat.append_many(user, [new("a"), new("b")])

        async def check(_cancelled: bool) -> None:
            messages = (await chat.list(user)).items
            assert len(messages) in {0, 2}
            assert await chat.delete(user, [message.id for message in messages]) == len(messages)

        await cancel_at_every_await(work, check)
