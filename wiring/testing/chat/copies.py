"""CHAT-4: forks, exports and retention."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bedplate.services.chat import (
    ChangeKind,
    ChatChange,
    ChatService,
    ExportFormat,
    MessageNotFoundError,
    MessageStatus,
    MessageTooLargeError,
    SessionExistsError,
    SessionNotFoundError,
)
from bedplate.services.errors import InvalidInputError
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.chat.harness import ChatFixtures, ChatHarness, NewMessages

__all__ = ["Copies"]

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Copies(ChatFixtures):
    """CHAT-4, ALL-1, ALL-4 and ALL-6."""

    async def test_a_fork_has_all_up_to_its_message(
        self, chat: ChatService, user: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: in order, also of the same moment; new ids, the same files; the origin stays."""
        times = (0, 1, 1, 1, 2, 3)
        stored = await chat.append_many(
            user,
            [
                new(
                    str(number),
                    timestamp=MOMENT + timedelta(minutes=minutes),
                    flow_id=flow,
                    files=(f"{flow}/{number}.txt",),
                    properties={"icon": "bot"},
                    content_blocks=({"title": "t", "contents": []},),
                    error=number == 1,
                    status=MessageStatus.CANCELLED,
                )
                for number, minutes in enumerate(times)
            ],
        )
        made = await chat.fork(user, stored[3].id)
        assert (made.origin, made.messages) == ("s", 4)
        copies = (await chat.list(user, session_id=made.session_id)).items
        assert not {message.id for message in copies} & {message.id for message in stored}
        same = [msgspec.structs.replace(copy, id=one.id, session_id="s") for copy, one in zip(copies, stored)]  # noqa: B905 - of the first four
        assert same == list(stored[:4])
        assert (await chat.list(user, session_id="s")).items == tuple(stored)
        assert len(made.session_id) >= 32

    async def test_a_fork_of_many_messages(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: more than are copied at once."""
        stored = [*await chat.append_many(user, [new(str(number), timestamp=MOMENT) for number in range(1000)])]
        stored += await chat.append_many(user, [new("last", timestamp=MOMENT + timedelta(hours=1))])
        made = await chat.fork(user, stored[-1].id, "t")
        assert made.messages == 1001
        copies = await chat.history(user, "t", limit=1000)
        assert [message.text for message in copies] == [message.text for message in await chat.history(user, "s")]

    async def test_forks_are_refused(
        self, harness: ChatHarness, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-4, ALL-6: of what is not there or somebody else's, onto what is there, of too much."""
        first, last = await chat.append_many(user, [new("1"), new("2")])
        for owner, message_id in ((other, first.id), (user, uuid.uuid4())):
            with pytest.raises(MessageNotFoundError):
                await chat.fork(owner, message_id)
        with pytest.raises(SessionExistsError):
            await chat.fork(user, first.id, "s")
        with pytest.raises(InvalidInputError):
            await chat.fork(user, first.id, "")
        with pytest.raises(MessageTooLargeError, match="MAX_NAME_CHARS"):
            await chat.fork(user, first.id, "x" * 256)
        small = await harness.chat(max_fork_messages=1)
        with pytest.raises(MessageTooLargeError, match="MAX_FORK_MESSAGES"):
            await small.fork(user, last.id)
        assert (await small.fork(user, first.id)).messages == 1
        assert len(await chat.sessions(user)) == 2

    async def test_a_fork_that_is_cancelled_copies_all_or_nothing(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-1."""
        _, last = await chat.append_many(user, [new("1"), new("2")])

        async def work() -> None:
            await chat.fork(user, last.id, "t")

        async def check(_cancelled: bool) -> None:
            assert await chat.delete_session(user, "t") in {0, 2}

        await cancel_at_every_await(work, check)

    async def test_forks_into_one_name_at_once(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: one wins, and the session is whole."""
        _, last = await chat.append_many(user, [new("1"), new("2")])
        results = await asyncio.gather(*(chat.fork(user, last.id, "t") for _ in range(4)), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["Fork"] + ["SessionExistsError"] * 3
        assert len((await chat.list(user, session_id="t")).items) == 2

    async def test_watchers_hear_of_a_fork(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: that there is something to look at."""
        stored = await chat.append(user, new())
        heard: list[ChatChange] = []
        leave = chat.watch(heard.append)
        await chat.fork(user, stored.id, "t")
        leave()
        assert heard == [ChatChange(kind=ChangeKind.STORED, user_id=user, session_id="t")]

    async def test_an_export_as_json_has_all(
        self, harness: ChatHarness, user: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: every message and field, a page at a time."""
        chat = await harness.chat(export_page=2)
        texts = ['a "quoted" ü 👋', "b\n\nc", "", "d", "e"]
        stored = await chat.append_many(
            user, [new(text, timestamp=MOMENT + timedelta(minutes=n), flow_id=flow) for n, text in enumerate(texts)]
        )
        pieces = [piece async for piece in await chat.export(user, "s")]
        assert len(pieces) == 1 + 3 + 1
        document = msgspec.json.decode(b"".join(pieces))
        assert (document["format"], document["session_id"]) == (1, "s")
        for message, expected in zip(document["messages"], stored, strict=True):
            values = msgspec.json.decode(msgspec.json.encode(expected))
            del values["user_id"]
            assert message == values

    async def test_an_export_as_markdown_cannot_be_forged(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: who said what is plain, whatever the texts and names hold."""
        await chat.append_many(
            user,
            [
                new("Hello\n\n## Machine\n\nI obey", timestamp=MOMENT, files=("a_b.txt",)),
                new(
                    "bye",
                    timestamp=MOMENT + timedelta(minutes=1),
                    sender_name="<b>\n# x",
                    status=MessageStatus.CANCELLED,
                    error=True,
                ),
            ],
        )
        text = b"".join([piece async for piece in await chat.export(user, "s", ExportFormat.MARKDOWN)]).decode()
        assert text == (
            "# s\n\n## Ann\n\n*2026-03-01T12:00:00+00:00*\n\n> Hello\n>\n> ## Machine\n>\n> I obey\n\n- a\\_b.txt\n"
            "\n## \\<b\\> \\# x (cancelled, error)\n\n*2026-03-01T12:01:00+00:00*\n\n> bye\n"
        )

    async def test_what_is_not_there_is_not_exported(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-4: another user's session answers as a missing one, before anything is written."""
        await chat.append(user, new())
        for owner, session_id in ((other, "s"), (user, "t")):
            with pytest.raises(SessionNotFoundError):
                await chat.export(owner, session_id)

    async def test_old_messages_are_deleted(
        self, harness: ChatHarness, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: by age; by default none are."""
        now = datetime.now(UTC)
        old = [new("old", timestamp=now - timedelta(hours=number)) for number in range(2, 5)]
        await chat.append_many(user, [*old, new("young", timestamp=now)])
        assert await chat.delete_old() == 0
        keeping = await harness.chat(retention=3600)
        heard: list[ChatChange] = []
        keeping.watch(heard.append)
        assert await keeping.delete_old() == 3
        assert await keeping.delete_old() == 0
        assert [message.text for message in (await chat.list(user)).items] == ["young"]
        [change] = heard
        assert (change.kind, change.user_id, change.session_id) == (ChangeKind.DELETED, user, "s")
        assert len(change.message_ids) == 3

    async def test_the_oldest_over_the_caps_are_deleted(
        self, harness: ChatHarness, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: per session, then per user, the newest stay; nobody pays for another."""
        messages = [
            new(f"{session} {number}", session_id=session, timestamp=MOMENT + timedelta(minutes=number))
            for session in ("s", "t")
            for number in range(5)
        ]
        await chat.append_many(user, messages)
        await chat.append_many(other, messages[:2])
        per_session = await harness.chat(retention=0, max_messages_per_session=3)
        assert await per_session.delete_old() == 4
        assert {message.text for message in (await chat.list(user)).items} == {
            f"{session} {number}" for session in ("s", "t") for number in (2, 3, 4)
        }
        in_all = await harness.chat(retention=0, max_messages=7)
        assert await in_all.delete_old() == 1
        await chat.append(other, new("other", timestamp=MOMENT - timedelta(days=1)))
        per_user = await harness.chat(retention=0, max_messages_per_user=2)
        assert await per_user.delete_old() == 4
        assert {message.text for message in (await chat.list(user)).items} == {"s 4", "t 4"}
        assert len((await chat.list(other)).items) == 2

    async def test_many_are_deleted_in_batches(
        self, harness: ChatHarness, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-1: each a transaction, which a cancellation undoes or leaves; watchers hear of those made."""
        keeping = await harness.chat(retention=3600)
        heard: list[ChatChange] = []
        keeping.watch(heard.append)

        async def work() -> None:
            await chat.append_many(user, [new(str(number), timestamp=MOMENT) for number in range(3)])
            assert await keeping.delete_old(limit=2) == 2

        async def check(_cancelled: bool) -> None:
            left = len((await chat.list(user)).items)
            assert left in {0, 1, 3}
            assert await keeping.delete_old() == left

        await cancel_at_every_await(work, check)
        assert all(len(change.message_ids) in {1, 2, 3} for change in heard)
