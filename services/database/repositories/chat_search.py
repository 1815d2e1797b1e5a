"""Full-text search of messages: by FTS5 on SQLite, by ``tsvector`` on PostgreSQL."""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import MessageRow, UTCDateTime
from bedplate.services.database.repositories.chat import MessageFilter, conditions

__all__ = ["SEARCHED_CHARS", "Found", "MessageQuery", "MessageSearch", "SearchTerm"]

SEARCHED_CHARS: Final = 100_000
"""How much of a message is searched, in characters, since an index of PostgreSQL has a limit; the revision agrees."""

_INDEX: Final = "bedplate_message_search"
_SATURATION: Final = 1.2  # as in BM25: how soon more of the same words count no more
_USUAL_CHARS: Final = 500.0
_WORDS: Final = 24
_MORE: Final = "…"


class SearchTerm(msgspec.Struct, frozen=True, kw_only=True):
    """A word, or several side by side.

    Attributes:
        text: The words.
        is_prefix: Whether the last one is the beginning of one.
    """

    text: str
    is_prefix: bool = False


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a message must hold: all terms that are wanted, at least one, and none of the others."""

    wanted: tuple[SearchTerm, ...]
    unwanted: tuple[SearchTerm, ...] = ()


class Found(NamedTuple):
    """A message that matches, how well (more is better), and a part of its text with marks around what matched."""

    row: MessageRow
    score: float
    snippet: str


class _Dialect(Protocol):
    """What databases do differently."""

    def hits(self, user_id: uuid.UUID, query: MessageQuery) -> sa.Subquery | sa.CTE:
        """The ``message_id``, ``score`` and ``place`` of all messages of the user that match."""
        ...

    def snippets(
        self, user_id: uuid.UUID, query: MessageQuery, places: Sequence[Any], marks: tuple[str, str]
    ) -> sa.Executable:
        """Place and marked text of these matches."""
        ...


class MessageSearch:
    """Searches the messages of one user.

    Args:
        session: The session to work in.
        user_id: The user.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id
        # No stored text can hold them: they are made for this search.
        self.marks = (secrets.token_hex(8), secrets.token_hex(8))
        """What stands before and behind each match in snippets."""

    async def page(
        self,
        query: MessageQuery,
        which: MessageFilter,
        *,
        after: tuple[float | datetime, uuid.UUID] | None,
        by_score: bool,
        limit: int,
    ) -> Sequence[Found]:
        """Messages that match, the best or the newest first.

        Args:
            query: What they must hold.
            which: Which of them.
            after: Score or time, and id, of the last one of the page before.
            by_score: The best first instead of the newest.
            limit: Most messages.
        """
        connection = await self._session.connection()
        dialect = _dialect(connection)
        hits = dialect.hits(self._user_id, query)
        rank: Any = hits.c.score if by_score else col(MessageRow.timestamp)
        key = (rank, col(MessageRow.id))
        statement = (
            sa.select(MessageRow, hits.c.score, hits.c.place)
            .join(hits, hits.c.message_id == col(MessageRow.id))
            .where(*conditions(self._user_id, which))
            .order_by(*(column.desc() for column in key))
            .limit(limit)
        )
        if after is not None:
            kind = sa.Double() if by_score else UTCDateTime()
            start = sa.tuple_(sa.literal(after[0], kind), sa.literal(after[1], sa.Uuid))
            statement = statement.where(sa.tuple_(*key) < start)
        rows = (await self._session.exec(statement)).all()  # type: ignore[call-overload]  # SQLModel knows few columns only
        snippets: dict[Any, str] = {}
        if rows:
            places = [place for _, _, place in rows]
            marked = await connection.execute(dialect.snippets(self._user_id, query, places, self.marks))
            snippets = {row[0]: row[1] for row in marked}
        return [Found(row, float(score), snippets.get(place, "")) for row, score, place in rows]


def _dialect(connection: AsyncConnection) -> _Dialect:
    return _Sqlite() if connection.dialect.name == "sqlite" else _Postgres()


class _Sqlite:
    """FTS5. The owner is in the index too, so that a common word costs what it costs in one user's messages."""

    def hits(self, user_id: uuid.UUID, query: MessageQuery) -> sa.CTE:
        # Not by bm25, which counts how often a word is in the messages of all users, and would tell: by how often it is
        # in this one, for its length.
        found = sa.text(
            "SELECT k.message_id AS message_id, f.number AS place,"  # noqa: S608 - constants
            f" f.matches / (f.matches + {_SATURATION} * (0.25 + 0.75 * f.size / {_USUAL_CHARS})) AS score"
            f" FROM (SELECT rowid AS number, length(text) AS size,"
            f" length(highlight({_INDEX}, 1, '*', '')) - length(text) AS matches"
            f" FROM {_INDEX} WHERE {_INDEX} MATCH :match) AS f"
            f" CROSS JOIN {_INDEX}_key AS k ON k.number = f.number"
        ).bindparams(match=self._match(user_id, query))
        # Apart from the rest: what is around it may move neither the match nor the rank to where FTS5 has none.
        return (
            found.columns(
                sa.column("message_id", sa.Uuid), sa.column("place", sa.Integer), sa.column("score", sa.Double)
            )
            .cte("hit")
            .prefix_with("MATERIALIZED")
        )

    def snippets(
        self, user_id: uuid.UUID, query: MessageQuery, places: Sequence[Any], marks: tuple[str, str]
    ) -> sa.Executable:
        return sa.text(
            f"SELECT rowid, snippet({_INDEX}, 1, :before, :behind, :more, {_WORDS})"  # noqa: S608 - a constant
            f" FROM {_INDEX} WHERE {_INDEX} MATCH :match AND rowid IN :places"
        ).bindparams(
            sa.bindparam("places", places, expanding=True),
            match=self._match(user_id, query),
            before=marks[0],
            behind=marks[1],
            more=_MORE,
        )

    def _match(self, user_id: uuid.UUID, query: MessageQuery) -> str:
        wanted = " AND ".join(map(self._phrase, query.wanted))
        match = f'owner : "{user_id.hex}" AND text : ({wanted})'
        if query.unwanted:
            match = f"({match}) NOT text : ({' OR '.join(map(self._phrase, query.unwanted))})"
        return match

    @staticmethod
    def _phrase(term: SearchTerm) -> str:
        # Within double quotes FTS5 knows no syntax but the double quote itself.
        quoted = term.text.replace('"', '""').replace("\0", " ")
        return f'"{quoted}"' + ("*" if term.is_prefix else "")


class _Postgres:
    """``tsvector``, of the words as they are, in whatever language."""

    def hits(self, user_id: uuid.UUID, query: MessageQuery) -> sa.Subquery:
        match = self._match(query)
        return (
            sa.select(
                col(MessageRow.id).label("message_id"),
                sa.cast(sa.func.ts_rank_cd(self._vector(), match), sa.Double).label("score"),
                col(MessageRow.id).label("place"),
            )
            .where(col(MessageRow.user_id) == user_id, self._vector().bool_op("@@")(match))
            .subquery("hit")
        )

    def snippets(
        self, user_id: uuid.UUID, query: MessageQuery, places: Sequence[Any], marks: tuple[str, str]
    ) -> sa.Executable:
        options = f"StartSel={marks[0]}, StopSel={marks[1]}, MaxWords={_WORDS}, MinWords={_WORDS // 2}"
        text = sa.func.ts_headline(sa.literal_column("'simple'"), self._text(), self._match(query), options)
        return sa.select(col(MessageRow.id), text).where(
            col(MessageRow.user_id) == user_id, col(MessageRow.id).in_(places)
        )

    @staticmethod
    def _text() -> sa.ColumnElement[str]:
        return sa.func.left(col(MessageRow.text), sa.literal_column(str(SEARCHED_CHARS)))

    def _vector(self) -> sa.ColumnElement[Any]:
        return sa.func.to_tsvector(sa.literal_column("'simple'"), self._text())

    def _match(self, query: MessageQuery) -> sa.ColumnElement[Any]:
        wanted = [self._phrase(term) for term in query.wanted]
        match = wanted[0]
        for phrase in wanted[1:]:
            match = match.op("&&")(phrase)
        for term in query.unwanted:
            match = match.op("&&")(sa.func.tsquery_not(self._phrase(term)))
        return match

    @staticmethod
    def _phrase(term: SearchTerm) -> sa.ColumnElement[Any]:
        from sqlalchemy.dialects.postgresql import TSQUERY  # a dialect that most processes do not need

        phrase: sa.ColumnElement[Any] = sa.func.phraseto_tsquery(sa.literal_column("'simple'"), term.text)
        if not term.is_prefix:
            return phrase
        # The parser has taken all syntax away: what it gives ends in its last word, to which the mark is added.
        whole = sa.func.nullif(sa.cast(phrase, sa.Text), "")
        return sa.func.coalesce(sa.cast(whole.op("||")(":*"), TSQUERY), phrase)
