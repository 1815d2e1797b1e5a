"""What a log call turns into before anything else sees it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bedplate.services.logs import LogEvent, add_masker, get_logger, remove_masker

log = get_logger("bedplate.test")


@pytest.fixture
def mask() -> Iterator[Callable[[Callable[[Any], Any]], None]]:
    added: list[Callable[[Any], Any]] = []

    def add(masker: Callable[[Any], Any]) -> None:
        added.append(masker)
        add_masker(masker)

    yield add
    for masker in added:
        remove_masker(masker)


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no text for you")


def test_an_event_prints_as_words_and_pairs(caplog: pytest.LogCaptureFixture) -> None:
    """TEL-1: an application's own handlers get a readable message."""
    with caplog.at_level(logging.INFO, "bedplate"):
        log.info("value dropped", key="a", size=3)
    assert caplog.messages == ["value dropped key=a size=3"]
    assert caplog.records[0].name == "bedplate.test"


def test_names_of_log_record_attributes_are_allowed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bedplate"):
        log.info("made", name="n", module="m", args=(1,), level="l")
    assert caplog.messages == ["made name=n module=m args=[1] level=l"]


def test_what_is_bound_to_the_context_is_in_the_event(caplog: pytest.LogCaptureFixture) -> None:
    """TEL-1: trace and run ids come from context variables."""
    with caplog.at_level(logging.INFO, "bedplate"), structlog.contextvars.bound_contextvars(run_id="r1", trace_id="t1"):
        log.info("went")
    words, *pairs = caplog.messages[0].split()
    assert (words, set(pairs)) == ("went", {"run_id=r1", "trace_id=t1"})


def test_secrets_are_masked_before_any_handler_sees_them(
    caplog: pytest.LogCaptureFixture, mask: Callable[[Callable[[Any], Any]], None]
) -> None:
    """TEL-1: nothing unmasked reaches a record, the text of an exception included."""

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("hunter2", "***")
        if isinstance(value, dict):
            return {key: hide(item) for key, item in value.items()}
        return [hide(item) for item in value] if isinstance(value, list) else value

    mask(hide)
    with caplog.at_level(logging.INFO, "bedplate"):
        try:
            raise ValueError("wrong password hunter2")
        except ValueError:
            log.exception("failed with hunter2", tried=["hunter2"])
    record = caplog.records[0]
    assert "hunter2" not in caplog.text
    assert "wrong password ***" in caplog.text
    assert record.exc_info in (None, False)


def test_an_event_that_cannot_be_masked_is_dropped_and_says_so(
    caplog: pytest.LogCaptureFixture, mask: Callable[[Callable[[Any], Any]], None]
) -> None:
    def broken(value: Any) -> Any:
        raise RuntimeError("out of order")

    mask(broken)
    with caplog.at_level(logging.INFO, "bedplate"):
        log.info("secret", token="hunter2")
    assert "hunter2" not in caplog.text
    assert "could not be masked" in caplog.text


@pytest.mark.parametrize(
    "value",
    [Unprintable(), {Unprintable(): Unprintable()}, [[[[[[[[[[[1]]]]]]]]]]], 2**80, float("nan"), {"k": {1, 2}}],
    ids=["unprintable", "unprintable-key", "deep", "big-int", "nan", "set"],
)
def test_a_malformed_value_never_fails_the_caller(caplog: pytest.LogCaptureFixture, value: Any) -> None:
    """TEL-1: a log call never raises, whatever it is given."""
    with caplog.at_level(logging.INFO, "bedplate"):
        log.info("%d of %d", "one", value=value)
    assert len(caplog.records) == 1
    assert caplog.messages[0]


def test_a_long_text_is_cut() -> None:
    from bedplate.services.logs import masked

    event = masked({"event": "x" * 100_000})
    assert isinstance(event, LogEvent)
    assert len(event["event"]) < 20_000
    assert event["event"].endswith("(100000 characters)")
