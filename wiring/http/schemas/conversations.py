"""Bodies of searches and forks."""

from pydantic import BaseModel, ConfigDict, Field

from bedplate.wiring.http.schemas.messages import MessageRead

__all__ = ["ForkCreate", "ForkRead", "SearchHitRead", "SearchPageRead", "SnippetRead"]


class ForkCreate(BaseModel):
    """What the new session is called; nothing makes a name that cannot be guessed."""

    model_config = ConfigDict(extra="forbid")

    session_id: str | None = Field(default=None, min_length=1)


class ForkRead(BaseModel):
    """A session that goes on from a message of another one."""

    session_id: str
    origin: str
    messages: int


class SnippetRead(BaseModel):
    """A part of a text, and begin and end of each match in it, in Unicode characters."""

    text: str
    matches: list[tuple[int, int]]


class SearchHitRead(BaseModel):
    """A message that a search found."""

    message: MessageRead
    score: float
    snippet: SnippetRead


class SearchPageRead(BaseModel):
    """Some of what a search found."""

    items: list[SearchHitRead]
    next_cursor: str | None
