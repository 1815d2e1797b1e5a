"""An index of strings that finds all of them in a text, at a cost that does not grow with their number."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator

from bedplate.services.engines.redactor.spans import Span

__all__ = ["GRAM", "StringIndex"]

GRAM = 4
"""Characters that a position of the text is looked up by."""


class _Numbers:
    """Numbers under a key, each as often as it was added; what is read is immutable."""

    def __init__(self) -> None:
        self._uses: Counter[tuple[str, int]] = Counter()
        self.table: dict[str, tuple[int, ...]] = {}

    def add(self, key: str, number: int) -> None:
        self._uses[key, number] += 1
        if self._uses[key, number] == 1:
            self.table[key] = tuple(sorted({*self.table.get(key, ()), number}, reverse=True))

    def remove(self, key: str, number: int) -> None:
        self._uses[key, number] -= 1
        if self._uses[key, number]:
            return
        del self._uses[key, number]
        if rest := tuple(other for other in self.table[key] if other != number):
            self.table[key] = rest
        else:
            del self.table[key]


class StringIndex:
    """Finds every occurrence of every indexed string, overlapping ones too.

    Of each string the first ``min_length`` characters, its head, are indexed by all their substrings of four
    characters. Whatever its position, an occurrence then has one of these at a multiple of ``min_length - 3``, and
    only there the text is looked up: a sampled form of the search of Wu and Manber. Strings come and go without a
    rebuild, and reading takes no lock: a writer replaces immutable entries.

    Attributes:
        longest: The length of the longest string that was ever indexed.
    """

    def __init__(self, min_length: int) -> None:
        self._head = min_length
        self._stride = min_length - GRAM + 1
        self._strings: Counter[str] = Counter()
        self._offsets = _Numbers()
        self._lengths = _Numbers()
        self._lock = threading.Lock()
        self.longest = 0

    def __len__(self) -> int:
        return len(self._strings)

    def add(self, strings: Iterable[str]) -> None:
        """Index each string once more; none is shorter than ``min_length``."""
        with self._lock:
            for string in strings:
                self._strings[string] += 1
                if self._strings[string] == 1:
                    self.longest = max(self.longest, len(string))
                    self._lengths.add(string[: self._head], len(string))
                    for offset in range(self._stride):
                        self._offsets.add(string[offset : offset + GRAM], offset)

    def remove(self, strings: Iterable[str]) -> None:
        """Index each string, which has been added, once less."""
        with self._lock:
            for string in strings:
                self._strings[string] -= 1
                if not self._strings[string]:
                    del self._strings[string]
                    self._lengths.remove(string[: self._head], len(string))
                    for offset in range(self._stride):
                        self._offsets.remove(string[offset : offset + GRAM], offset)

    def spans(self, text: str) -> list[Span]:
        """Return where indexed strings stand in the text, in no order; the longest of those that begin together."""
        offsets = self._offsets.table
        if not offsets:
            return []
        candidates = [
            start for start in range(0, len(text) - GRAM + 1, self._stride) if text[start : start + GRAM] in offsets
        ]
        return [span for candidate in candidates for span in self._verify(text, candidate)]

    def _verify(self, text: str, candidate: int) -> Iterator[Span]:
        for offset in self._offsets.table.get(text[candidate : candidate + GRAM], ()):
            start = candidate - offset
            if start < 0:
                continue
            for length in self._lengths.table.get(text[start : start + self._head], ()):
                # At the end of the text a slice may be shorter than asked for, and be another string.
                if start + length <= len(text) and text[start : start + length] in self._strings:
                    yield start, start + length
                    break
