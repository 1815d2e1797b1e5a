"""CHAT-1: those who watch hear of every change that has been made."""

import uuid

import pytest

from bedplate.services.chat import ChangeKind, ChatChange, ChatService
from bedplate.services.errors import InvalidInputError
from bedplate.wiring.testing.chat.harness import ChatFixtures, NewMessages

__all__ = ["Watching"]


class Watching(ChatFixtures):
    """CHAT-1 and SOCK-1."""

    async def test_watchers_hear_of_every_change(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        heard: list[ChatChange] = []
        end = chat.watch(heard.append)
        one, two, three = await chat.append_many(
            user, [new("1", session_id="a"), new("2", session_id="b"), new("3", session_id="a")]
        )
        assert [(change.session_id, change.messages) for change in heard] == [("a", (one, three)), ("b", (two,))]
        assert {change.kind for change in heard} == {ChangeKind.STORED}
        heard.clear()
        changed = await chat.update(user, one.id, text="changed")
        moved = await chat.update(user, three.id, session_id="b")
        assert [(change.kind, change.session_id) for change in heard] == [
            (ChangeKind.UPDATED, "a"),
            (ChangeKind.DELETED, "a"),
            (ChangeKind.UPDATED, "b"),
        ]
        assert [heard[0].messages, heard[1].message_ids, heard[2].messages] == [(changed,), (three.id,), (moved,)]
        heard.clear()
        await chat.delete(user, [one.id, two.id, uuid.uuid4()])
        assert {(change.session_id, change.message_ids) for change in heard} == {("a", (one.id,)), ("b", (two.id,))}
        heard.clear()
        await chat.rename_session(user, "b", "c")
        await chat.delete_session(user, "c")
        await chat.delete_session(user, "c")
        assert [(change.kind, change.session_id, change.new_session_id) for change in heard] == [
            (ChangeKind.RENAMED, "b", "c"),
            (ChangeKind.DELETED, "c", None),
        ]
        assert {change.user_id for change in heard} == {user}
        heard.clear()
        end()
        end()
        await chat.append(user, new("4", session_id="a"))
        assert heard == []

    async def test_watchers_hear_of_nothing_that_was_not_done(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        message = await chat.append(user, new("1", session_id="a"))
        heard: list[ChatChange] = []
        chat.watch(heard.append)
        with pytest.raises(InvalidInputError):
            await chat.append(user, new("2", session_id=""))
        assert await chat.delete(other, [message.id]) == 0
        assert await chat.delete_session(other, "a") == 0
        assert heard == []

    async def test_a_watcher_that_fails_harms_nobody(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        def fails(_change: ChatChange) -> None:
            raise RuntimeError("a watcher of somebody")

        heard: list[ChatChange] = []
        chat.watch(fails)
        chat.watch(heard.append)
        assert (await chat.append(user, new("1"))).text == "1"
        assert len(heard) == 1
