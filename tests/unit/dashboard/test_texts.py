"""Times, sizes and values for people."""

from datetime import UTC, datetime, timedelta

import pytest

from bedplate.wiring.http.dashboard.documentation import prose
from bedplate.wiring.http.dashboard.rendering import ago, amount, duration, pretty, size


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0.0123, "12 µs"),
        (0.9996, "1 ms"),
        (1.234, "1.23 ms"),
        (250.4, "250 ms"),
        (999.7, "1.00 s"),
        (1500, "1.50 s"),
        (59_999, "1 min 0 s"),
        (119_700, "2 min 0 s"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h 0 min"),
    ],
)
def test_durations(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20 - 1, "1.0 MiB"), (5 * 2**40, "5.0 TiB")],
)
def test_sizes(count: float | None, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (3.0, "3"), (0.12345, "0.123"), (1234567, "1\u202f234\u202f567")]
)
def test_amounts(number: float | None, text: str) -> None:
    assert amount(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "just now"),
        (5, "5 s ago"),
        (300, "5 min ago"),
        (7200, "2 h ago"),
        (-100, "in 2 min"),
        (59.7, "1 min ago"),
        (3595, "1 h ago"),
    ],
)
def test_moments(seconds: float, text: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(seconds=seconds)) == text
    assert ago(None) == "–"


def test_long_values_are_cut() -> None:
    assert pretty({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    assert pretty("x" * 30_000).endswith("10,000 more characters")


def test_docstrings_are_escaped_and_what_they_mark_as_code_is_code() -> None:
    assert prose("``a < b`` by :meth:`verify`, :class:`~bedplate.x.Y` <script>") == (
        "<code>a &lt; b</code> by <code>verify</code>, <code>Y</code> &lt;script&gt;"
    )
