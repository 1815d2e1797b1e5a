"""What people type to search messages, as what a repository can be asked for."""

import re
import unicodedata
from typing import Final

from bedplate.services.database.repositories.chat_search import MessageQuery, SearchTerm
from bedplate.services.errors import InvalidInputError
from bedplate.services.text import storable

__all__ = ["MAX_TERMS", "parsed_query"]

MAX_TERMS: Final = 32
"""Most terms of one search."""

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


def parsed_query(text: str, max_chars: int) -> MessageQuery:
    """The terms of a search.

    Messages must hold all words, in any order; words in double quotes stand side by side; a word that ends in ``*`` is
    the beginning of one; what follows a ``-`` must not be there. Nothing else has a meaning, so that no text is an
    error of syntax and none reaches the language of the database.

    Raises:
        InvalidInputError: There is nothing to search for, or too much.
    """
    if len(text) > max_chars:
        raise _invalid(
            f"the search has {len(text)} characters, more than the {max_chars} allowed",
            "search for less, or raise BEDPLATE_CHAT__MAX_SEARCH_CHARS",
        )
    wanted: list[SearchTerm] = []
    unwanted: list[SearchTerm] = []
    for match in _TERM.finditer(storable(text)):
        term = _term(match["phrase"], match["word"])
        if term is not None:
            (unwanted if match["minus"] else wanted).append(term)
    if len(wanted) + len(unwanted) > MAX_TERMS:
        raise _invalid(f"the search has more than {MAX_TERMS} terms", "search for fewer")
    if not wanted:
        raise _invalid("the search has no word to look for", "give it a word, such as: invoice -draft")
    return MessageQuery(wanted=tuple(wanted), unwanted=tuple(unwanted))


def _term(phrase: str | None, word: str | None) -> SearchTerm | None:
    """A phrase or word; None where it has neither letter nor digit."""
    text = phrase if word is None else word
    # What is typed and what is stored may be composed differently; control characters separate words.
    text = "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in unicodedata.normalize("NFC", text or "")
    ).strip()
    if not any(character.isalnum() for character in text):
        return None
    is_prefix = word is not None and text.endswith("*") and text[-2:-1].isalnum()
    return SearchTerm(text=text.rstrip("*") if is_prefix else text, is_prefix=is_prefix)


def _invalid(what: str, fix: str) -> InvalidInputError:
    return InvalidInputError(what, service="chat", fix=fix)
