"""CHAT-4: full-text search."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from bedplate.services.chat import ChatService, SearchHit, SearchOrder
from bedplate.services.errors import InvalidInputError
from bedplate.wiring.testing.chat.harness import ChatFixtures, ChatHarness, NewMessages

__all__ = ["Searching"]

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def _texts(chat: ChatService, user: uuid.UUID, text: str) -> set[str]:
    return {hit.message.text for hit in (await chat.search(user, text)).items}


class Searching(ChatFixtures):
    """CHAT-4, ALL-4 and ALL-6."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("invoice", {"The invoice of March", "An INVOICE and a draft"}),
            ("MARCH invoice", {"The invoice of March"}),
            ('"invoice of"', {"The invoice of March"}),
            ('"of invoice"', set()),
            ("inv*", {"The invoice of March", "An INVOICE and a draft"}),
            ("inv", set()),
            ("invoice -draft", {"The invoice of March"}),
            ('invoice -"of March"', {"An INVOICE and a draft"}),
            ("naïve", {"a naïve approach to e-mail"}),
            ("e-mail", {"a naïve approach to e-mail"}),
            ("mail", {"a naïve approach to e-mail"}),
            ('"approach to', {"a naïve approach to e-mail"}),
            ("nothing", set()),
        ],
    )
    async def test_words_phrases_beginnings_and_exclusions(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages, text: str, found: set[str]
    ) -> None:
        """CHAT-4: what a search may say."""
        texts = ("The invoice of March", "An INVOICE and a draft", "a naïve approach to e-mail", "")
        await chat.append_many(user, [new(each) for each in texts])
        assert await _texts(chat, user, text) == found

    @pytest.mark.parametrize(
        "text",
        [
            'a" OR owner:"b',
            "owner : x",
            "{owner text} : x",
            "x NEAR(y)",
            "NOT word",
            "word AND",
            "OR word",
            "^word",
            "word +",
            "(word",
            "word)",
            "'word'; DROP TABLE bedplate_message; --",
            "wor%",
            "word:*",
            "word & !x | y <-> z",
            "\\word",
            "word\x00*",
            "wo\x1frd",
            "*word* **",
            "\ud800 word",
            "word:ABCD",
            '""word""',
            "word <b>",
        ],
    )
    async def test_no_text_is_an_error_of_syntax(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages, text: str
    ) -> None:
        """CHAT-4: nothing that is typed reaches the language of the database, and nobody else's messages come out."""
        await chat.append(other, new("word AND OR NOT owner x y z drop table bedplate_message a b near abcd"))
        await chat.append(user, new("unrelated"))
        assert await _texts(chat, user, text) == set()

    async def test_operators_are_words(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: a message can be found by any word that it has."""
        await chat.append(user, new("this or that, near x and not owner: text"))
        for text in ("OR", "AND", "NOT", "NEAR", "owner", "text", "owner:text", "this AND that"):
            assert len((await chat.search(user, text)).items) == 1, text

    @pytest.mark.parametrize("text", ["", "   ", "-draft", '""', "*", "--- ***", "x" * 1001, "a " * 33, "-"])
    async def test_a_search_for_nothing_or_too_much_is_refused(
        self, chat: ChatService, user: uuid.UUID, text: str
    ) -> None:
        """CHAT-4, ALL-6: a typed error with the fix."""
        with pytest.raises(InvalidInputError) as caught:
            await chat.search(user, text)
        assert caught.value.fix

    async def test_the_best_come_first(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: ranked, or by time."""
        other_words = " and many other words" * 20
        texts = ["plum" + other_words, "plum plum plum", *(f"pear {number}" for number in range(20))]
        await chat.append_many(
            user, [new(text, timestamp=MOMENT - timedelta(hours=number)) for number, text in enumerate(texts)]
        )
        best = (await chat.search(user, "plum")).items
        assert [hit.message.text for hit in best] == [texts[1], texts[0]]
        assert best[0].score > best[1].score
        newest = (await chat.search(user, "plum", order=SearchOrder.NEWEST_FIRST)).items
        assert [hit.message.text for hit in newest] == texts[:2]

    async def test_scores_tell_nothing_of_other_users(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-4: nor do pages move when others write."""
        await chat.append_many(user, [new("plum and pear"), new("plum")])
        before = await chat.search(user, "plum", limit=1)
        await chat.append_many(other, [new("plum " * number) for number in range(50)])
        assert await chat.search(user, "plum", limit=1) == before

    async def test_what_matches_is_marked(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4: a part of the text, with the places of the words in it; no markup that a text could forge."""
        text = "word " * 200 + "the <mark>Needle</mark> in \x02 hay " + "word " * 200
        await chat.append(user, new(text))
        [hit] = (await chat.search(user, "needle hay")).items
        assert {hit.snippet.text[start:end].lower() for start, end in hit.snippet.matches} == {"needle", "hay"}
        assert len(hit.snippet.text) < 402

    async def test_a_text_of_one_word_is_cut(self, chat: ChatService, user: uuid.UUID, new: NewMessages) -> None:
        """CHAT-4, ALL-6: a snippet is bounded whatever the text."""
        await chat.append(user, new("needle " + "x" * 5000 + " " + "y" * 5000))
        [hit] = (await chat.search(user, "needle")).items
        assert len(hit.snippet.text) <= 402
        assert hit.snippet.matches == ((0, 6),)

    @pytest.mark.parametrize("order", list(SearchOrder))
    async def test_pages_have_each_match_once(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages, order: SearchOrder
    ) -> None:
        """CHAT-4: by cursor, also where scores and times are equal."""
        await chat.append_many(
            user,
            [new("plum " * (1 + number % 3), timestamp=MOMENT + timedelta(minutes=number % 4)) for number in range(23)],
        )
        seen: list[SearchHit] = []
        cursor = None
        while True:
            page = await chat.search(user, "plum", order=order, limit=4, cursor=cursor)
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        keys = [
            (hit.score if order is SearchOrder.BEST_FIRST else hit.message.timestamp, hit.message.id) for hit in seen
        ]
        assert keys == sorted(keys, reverse=True)
        assert len({hit.message.id for hit in seen}) == len(seen) == 23

    async def test_a_cursor_that_was_not_made_here_is_refused(
        self, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-6: forged, or of another order."""
        await chat.append_many(user, [new("plum"), new("plum")])
        by_time = (await chat.search(user, "plum", order=SearchOrder.NEWEST_FIRST, limit=1)).next_cursor
        by_score = (await chat.search(user, "plum", limit=1)).next_cursor
        assert by_score
        assert by_time
        for order, cursors in (
            (SearchOrder.BEST_FIRST, ("", "nonsense", "bmFuL3g", by_time, "é")),
            (SearchOrder.NEWEST_FIRST, ("", "nonsense", by_score)),
        ):
            for cursor in cursors:
                with pytest.raises(InvalidInputError, match="cursor"):
                    await chat.search(user, "plum", order=order, cursor=cursor)

    async def test_a_search_is_filtered_and_of_one_user(
        self, chat: ChatService, user: uuid.UUID, other: uuid.UUID, flow: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4, ALL-4: by flow, session and sender; another user's messages are not there."""
        await chat.append_many(
            user, [new("plum 1", flow_id=flow), new("plum 2", session_id="t"), new("plum 3", sender="Machine")]
        )
        await chat.append(other, new("plum 4"))
        assert await _texts(chat, user, "plum") == {"plum 1", "plum 2", "plum 3"}
        assert await _texts(chat, user, user.hex) == set()
        assert [hit.message.text for hit in (await chat.search(user, "plum", flow_id=flow)).items] == ["plum 1"]
        assert [hit.message.text for hit in (await chat.search(user, "plum", session_id="t")).items] == ["plum 2"]
        assert [hit.message.text for hit in (await chat.search(user, "plum", sender="Machine")).items] == ["plum 3"]
        assert (await chat.search(other, "plum", flow_id=flow)).items == ()

    async def test_the_index_follows_the_messages(
        self, harness: ChatHarness, chat: ChatService, user: uuid.UUID, new: NewMessages
    ) -> None:
        """CHAT-4: what is changed, replaced, moved or deleted is found as it is now."""
        one, two = await chat.append_many(user, [new("plum"), new("plum")])
        await chat.update(user, one.id, text="pear")
        assert await _texts(chat, user, "plum pear") == set()
        assert len((await chat.search(user, "plum")).items) == 1
        await chat.append(user, new("cherry", id=two.id))
        assert (await chat.search(user, "plum")).items == ()
        assert await _texts(chat, user, "cherry") == {"cherry"}
        await chat.rename_session(user, "s", "t")
        assert [hit.message.session_id for hit in (await chat.search(user, "pear")).items] == ["t"]
        await chat.delete(user, [one.id])
        assert (await chat.search(user, "pear")).items == ()
        await chat.delete_session(user, "t")
        assert (await chat.search(user, "cherry")).items == ()
