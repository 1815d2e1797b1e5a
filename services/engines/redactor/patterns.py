"""The shapes of secrets: keys of known vendors, tokens, private keys, passwords in URLs and in assignments.

Every expression takes time linear in the text, whoever wrote the text: what may repeat is bounded, anchored, or
consumed by the match.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from bedplate.services.engines.redactor.names import SecretNames
from bedplate.services.engines.redactor.spans import Span
from bedplate.services.errors import ConfigurationError

__all__ = ["Patterns"]


class _Rule(msgspec.Struct, frozen=True):
    """An expression, tried on texts that have one of its hints; its group ``secret``, or the whole match, is masked.

    Attributes:
        hints: Texts of which every match has one; those in lower case are looked for whatever the case.
        expression: Takes time linear in the text.
    """

    hints: tuple[str, ...]
    expression: re.Pattern[str]

    def may_match(self, text: str, folded: str) -> bool:
        for hint in self.hints:  # noqa: SIM110 - any() costs twice as much, for every text
            if hint in text or hint in folded:
                return True
        return False


_PEM = r"-----(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_OPENING = r"\\{0,4}[\"']?"

_KEYS = (
    _Rule(("PRIVATE KEY",), re.compile(rf"{_PEM}.*?(?:{_PEM}|\Z)", re.DOTALL)),
    _Rule(
        ("eyJ",),
        # A JSON Web Token (RFC 7519). It is sought from the start of its run of characters only, to stay linear.
        re.compile(r"(?<![\w-])[\w-]{0,64}?(?P<secret>eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){0,3})"),
    ),
    _Rule(("sk-", "sk_", "rk_"), re.compile(r"(?<![A-Za-z0-9])(?:sk[-_]|rk_)[\w-]{16,}")),
    _Rule(("AKIA", "ASIA"), re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    _Rule(("AIza",), re.compile(r"(?<![A-Za-z0-9])AIza[\w-]{30,}")),
    _Rule(
        ("gh", "hf_", "gsk_", "npm_", "lsv2_"),
        re.compile(r"(?<![A-Za-z0-9])(?:gh[opsur]_|github_pat_|hf_|gsk_|npm_|lsv2_[a-z]{2}_)\w{16,}"),
    ),
    _Rule(
        ("glpat-", "xox", "pypi-", "xai-", "pplx-", "tvly-", "nvapi-"),
        re.compile(r"(?<![A-Za-z0-9])(?:glpat|xox[abeoprs]|pypi|xai|pplx|tvly|nvapi)-[\w-]{16,}"),
    ),
)
"""Hardly anything but a secret has one of these shapes."""

_RULES = (
    *_KEYS,
    _Rule(
        ("bearer", "basic"),
        # A word of prose after "bearer" is short and has no digit and no hump.
        re.compile(
            r"(?i:\bbearer|\bbasic)\s{1,8}"
            r"(?P<secret>(?=[A-Za-z._~+/-]{0,512}(?:[0-9=]|[a-z][A-Z])|\S{20})[\w.~+/-]{6,}=*)"
        ),
    ),
    _Rule(
        ("authorization",),
        re.compile(
            rf"(?i)authorization{_OPENING}\s{{0,8}}[:=]\s{{0,8}}{_OPENING}(?:[a-z]{{1,20}}\s{{1,8}})?"
            r"(?P<secret>[^\s\"'\\,;]+)"
        ),
    ),
    _Rule(
        ("cookie",),
        re.compile(
            rf"(?i)cookie{_OPENING}\s{{0,8}}:\s{{0,8}}{_OPENING}(?P<secret>[^\s=;,\"'\\]{{1,64}}=[^\r\n\"'\\]+)"
        ),
    ),
    _Rule(
        ("x-",),
        re.compile(
            r"(?i)\bx-[a-z-]{0,30}(?:auth|key|secret|token)[a-z-]{0,16}\s{0,8}:\s{0,8}(?P<secret>[^\s\"'\\,;]{3,})"
        ),
    ),
    _Rule(("://",), re.compile(r"://[^\s/?#@:\"']{0,256}:(?P<secret>[^\s/?#\"']{1,512})@")),
)

_HINTS = tuple(hint for rule in _RULES for hint in rule.hints if hint != hint.lower())
_FOLDED = tuple(hint for rule in _RULES for hint in rule.hints if hint == hint.lower())
_JOINED_HINTS = tuple(hint for hint in _FOLDED if "-" in hint or "_" in hint)
_PLAIN_HINTS = tuple(hint for hint in _FOLDED if hint not in _JOINED_HINTS)

_IDENTIFIER = re.compile("[A-Za-z]{1,16}(?:_[a-z]{1,16})+")
"""As in source code: ``hf_inference_endpoint`` is none of that vendor's keys."""

_SEPARATOR = re.compile("[:=]")
_LONGEST_NAME = 80
_NAME_REVERSED = re.compile(r"\s{0,4}[\"']?\\{0,4}(?P<name>[\w-]+)")
_ASSIGNED_VALUE = re.compile(
    r"[:=]\s{0,4}(?P<quote>\\{0,4}[\"'])(?P<quoted>.*?)(?:(?<!\\)(?P=quote)|\Z)"
    r"|=[ \t]{0,4}(?P<plain>[^\s&;,\"'\\<>(){}\[\]]{3,})",
    re.DOTALL,
)
_SHORTEST = 7


class Patterns:
    """The built-in shapes and those of the operator.

    Args:
        extra: Regular expressions; the group named ``secret`` of each, or the whole match, is masked.
        names: The names that make the value of an assignment such as ``name=value`` a secret.

    Raises:
        ConfigurationError: One of them is not a regular expression, or matches the empty text.
    """

    def __init__(self, extra: Sequence[str], names: SecretNames) -> None:
        self._extra = [_compiled(pattern) for pattern in extra]
        self._names = names

    def may_match(self, text: str) -> bool:
        """Whether :meth:`spans` may find something: a quick test before the search."""
        if self._extra:
            return True
        if len(text) < _SHORTEST:
            return False
        # Loops and not any(), which costs twice as much, for every text.
        for hint in _HINTS:
            if hint in text:
                return True
        folded = text.lower()
        for hint in _PLAIN_HINTS:
            if hint in folded:
                return True
        if "-" in folded or "_" in folded:
            for hint in _JOINED_HINTS:
                if hint in folded:
                    return True
        return ("=" in text or ":" in text) and self._names.may_be_in(folded)

    def spans(self, text: str) -> Iterator[Span]:
        """Return where the text has the shape of a secret, in no order."""
        if len(text) >= _SHORTEST:
            folded = text.lower()
            for rule in _RULES:
                if rule.may_match(text, folded):
                    yield from _matches(rule.expression, text)
            if ("=" in text or ":" in text) and self._names.may_be_in(folded):
                yield from self._assigned(text)
        for expression in self._extra:
            yield from _matches(expression, text)

    def keys(self, text: str) -> Iterator[Span]:
        """Return where the text has a shape of which hardly anything but a secret is, in no order.

        That leaves out assignments and headers, which source code and documentation are full of.
        """
        for rule in _KEYS:
            if rule.may_match(text, text):
                for start, end in _matches(rule.expression, text):
                    if not _IDENTIFIER.fullmatch(text, start, end):
                        yield start, end
        for expression in self._extra:
            yield from _matches(expression, text)

    def _assigned(self, text: str) -> Iterator[Span]:
        position = 0
        while separator := _SEPARATOR.search(text, position):
            position = separator.end()
            before = text[max(0, separator.start() - _LONGEST_NAME) : separator.start()]
            name = _NAME_REVERSED.match(before[::-1])
            if not name or name["name"][::-1] not in self._names:
                continue
            if value := _ASSIGNED_VALUE.match(text, separator.start()):
                yield value.span("plain" if value["quote"] is None else "quoted")
                position = value.end()


def _compiled(pattern: str) -> re.Pattern[str]:
    fix = "correct BEDPLATE_TRACING__REDACT_PATTERNS"
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"{pattern!r} is not a regular expression", service="redactor", why=str(error), fix=fix
        ) from None
    if expression.match(""):
        raise ConfigurationError(
            f"the pattern {pattern!r} matches the empty text and would mask everything", service="redactor", fix=fix
        )
    return expression


def _matches(expression: re.Pattern[str], text: str) -> Iterator[Span]:
    group = "secret" if "secret" in expression.groupindex else 0
    for match in expression.finditer(text):
        start, end = match.span(group)
        if start < end:
            yield start, end
