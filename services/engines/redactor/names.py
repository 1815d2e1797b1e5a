"""Which names of fields stand for secrets."""

import functools
import re
from collections.abc import Iterable

__all__ = ["SecretNames"]

_SECRET_PARTS = (
    "accesskey",
    "apikey",
    "authorization",
    "clientassertion",
    "cookie",
    "credential",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "signingkey",
)
"""Anywhere in the name, without its separators."""

_SECRET_WORDS = frozenset({"auth", "bearer", "jwt", "pwd"})
"""The last word of the name."""

_TOKEN_WORDS = frozenset({"access", "api", "auth", "bearer", "bot", "csrf", "id", "refresh", "session"})
"""``tokens`` are text for a model, unless one of these tells otherwise."""

_COUNTING_WORDS = frozenset(
    {
        "budget", "cached", "completion", "count", "expires", "expiry", "input", "length", "limit", "max", "min", "num",
        "output", "per", "prompt", "reasoning", "total", "ttl", "type", "usage", "used",
    }
)  # fmt: skip
"""A token with one of these is a unit of text, or a fact about a secret, not a secret."""

_DESCRIBING_WORDS = frozenset({"count", "enabled", "expires", "expiry", "length", "name", "policy", "ttl", "type"})
"""As the last word, they make the name one of a fact about a secret."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST_NAME = 200

_STEMS = ("auth", "bearer", "client", "cookie", "credential", "jwt", "key", "pass", "pwd", "secret", "token")
"""Every name of a secret has one of these."""


class SecretNames:
    """The names of fields that hold secrets; case and separators make no difference.

    Args:
        extra: Names beside the built-in ones.
    """

    def __init__(self, extra: Iterable[str]) -> None:
        self._extra = frozenset(_folded(name) for name in extra)

    def __contains__(self, name: str) -> bool:
        return _is_secret(name) or (bool(self._extra) and _folded(name) in self._extra)

    def may_be_in(self, folded_text: str) -> bool:
        """Say whether a text, in lower case, may have one of the names in it: a quick test before a search."""
        if self._extra:
            return True
        for stem in _STEMS:  # noqa: SIM110 - any() costs twice as much, for every text
            if stem in folded_text:
                return True
        return False


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name[-_LONGEST_NAME:])]
    joined = "".join(words).replace("secretar", "")
    if not words or (len(words) > 1 and words[-1] in _DESCRIBING_WORDS):
        return False
    if any(part in joined for part in _SECRET_PARTS) or words[-1] in _SECRET_WORDS:
        return True
    return _is_token(joined, words)


def _is_token(joined: str, words: list[str]) -> bool:
    if not _COUNTING_WORDS.isdisjoint(words) or any(joined.startswith(word + "token") for word in _COUNTING_WORDS):
        return False
    if "tokens" in words:
        return not _TOKEN_WORDS.isdisjoint(words)
    return "token" in words or joined.endswith("token")


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
