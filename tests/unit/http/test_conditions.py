"""STO-3: conditional requests and ranges, case by case (RFC 9110, 13 and 14)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.storage import FileInfo
from bedplate.wiring.http.conditions import Decision, decide, http_date, range_of

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
BEFORE, THEN, AFTER = (http_date(MOMENT + timedelta(seconds=seconds)) for seconds in (-1, 0, 1))


def _file(size: int = 10) -> FileInfo:
    return FileInfo(name="a", size=size, content_type="text/plain", etag='"v1"', modified_at=MOMENT)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "proceed"),
        ({"if-none-match": '"v1"'}, "not modified"),
        ({"if-none-match": 'W/"v1"'}, "not modified"),
        ({"if-none-match": '"v0", W/"v1" , "v2"'}, "not modified"),
        ({"if-none-match": "*"}, "not modified"),
        ({"if-none-match": '"v0"'}, "proceed"),
        ({"if-none-match": "v1"}, "proceed"),
        ({"if-none-match": ""}, "proceed"),
        ({"if-none-match": '"v0"', "if-modified-since": AFTER}, "proceed"),
        ({"if-modified-since": THEN}, "not modified"),
        ({"if-modified-since": AFTER}, "not modified"),
        ({"if-modified-since": BEFORE}, "proceed"),
        ({"if-modified-since": "yesterday"}, "proceed"),
        ({"if-match": '"v1"'}, "proceed"),
        ({"if-match": "*"}, "proceed"),
        ({"if-match": 'W/"v1"'}, "failed"),
        ({"if-match": '"v0", "v2"'}, "failed"),
        ({"if-match": '"v1"', "if-unmodified-since": BEFORE}, "proceed"),
        ({"if-unmodified-since": THEN}, "proceed"),
        ({"if-unmodified-since": BEFORE}, "failed"),
        ({"if-unmodified-since": "nonsense"}, "proceed"),
        ({"if-match": '"v1"', "if-none-match": '"v1"'}, "not modified"),
    ],
)
def test_conditions(headers: dict[str, str], expected: str) -> None:
    """STO-3"""
    assert decide(headers, _file()) is Decision(expected)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, None)),
        ("bytes=-3", (7, None)),
        ("bytes=-30", (0, None)),
        ("bytes=-0", (10, None)),
        ("bytes=9-100", (9, 101)),
        ("bytes=10-", (10, None)),
        ("Bytes = 1-2", (1, 3)),
        (f"bytes={'9' * 5_000}-", (2**63, None)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("bytes=1--2", None),
        ("lines=0-4", None),
        ("", None),
    ],
)
def test_ranges(header: str, expected: tuple[int, int | None] | None) -> None:
    """STO-3"""
    assert range_of({"range": header}, _file()) == expected


def test_the_end_of_an_empty_file_is_the_whole_of_it() -> None:
    """STO-3"""
    assert range_of({"range": "bytes=-5"}, _file(0)) is None
    assert range_of({"range": "bytes=0-"}, _file(0)) == (0, None)


@pytest.mark.parametrize(
    ("condition", "partial"),
    [
        ('"v1"', True),
        ('"v0"', False),
        ('W/"v1"', False),
        ("*", False),
        (THEN, True),
        (BEFORE, False),
        (AFTER, False),
        ("nonsense", False),
    ],
)
def test_a_range_of_another_version_is_the_whole_file(condition: str, partial: bool) -> None:
    """STO-3: If-Range, by entity tag or by date."""
    assert (range_of({"range": "bytes=1-2", "if-range": condition}, _file()) is not None) is partial


@given(
    st.dictionaries(st.sampled_from(("range", "if-range", "if-match", "if-none-match", "if-modified-since")), st.text())
)
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    """STO-3: whatever a client sends."""
    decide(headers, _file())
    range_of(headers, _file())
