"""Masking by the live value of registered secrets (TRACE-4)."""

import base64
import html
import json
import re
import threading
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bedplate.services.engines.redactor import MASK, Redactor, live
from bedplate.services.engines.redactor.forms import forms_of
from bedplate.services.engines.redactor.index import StringIndex
from bedplate.services.settings import SettingsService

SECRET = 'pa ss/"wö\\rd?&+=\n%😀'


def make(**tracing: object) -> Redactor:
    return Redactor(SettingsService(tracing=tracing))


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps({"k": SECRET})),
        repr({"k": SECRET}),
        html.escape(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="!$&'()*+,;=:@/"),
        re.sub("%..", lambda match: match.group().lower(), quote(SECRET, safe="")),
    ],
)
def test_every_form_of_a_secret_is_masked(redactor: Redactor, form: str) -> None:
    """TRACE-4: a secret is known in escaped and percent-encoded form too."""
    redactor.register(SECRET)
    masked = redactor.text(f"before {form} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "wö" not in masked
    assert "rd" not in masked


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", ":x", "yz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_at_every_alignment(redactor: Redactor, before: str, after: str, encode: object) -> None:
    """TRACE-4: ``user:password`` in base64 hides the password from a search for its own base64."""
    redactor.register("correct-horse>>>???")
    encoded = base64.b64encode(f"{before}correct-horse>>>???{after}".encode()).decode()
    if encode is base64.urlsafe_b64encode:
        encoded = encoded.replace("+", "-").replace("/", "_")
    masked = redactor.text(f'"{encoded}"')
    assert MASK in masked
    assert len(masked) < len(MASK) + len(before) * 2 + len(after) * 2 + 12


def test_overlapping_secrets_leave_nothing_between(redactor: Redactor) -> None:
    redactor.register("abcdefgh")
    redactor.register("efghijkl")
    assert redactor.text("<abcdefghijkl>") == f"<{MASK}>"
    assert redactor.text("<abcdefghabcdefgh>") == f"<{MASK}>"


def test_the_longest_of_secrets_with_one_beginning_is_masked(redactor: Redactor) -> None:
    redactor.register("prefix-1234")
    redactor.register("prefix-123456789")
    assert redactor.text("prefix-123456789 prefix-1234") == f"{MASK} {MASK}"


def test_a_short_value_does_not_mask_ordinary_words(redactor: Redactor) -> None:
    """TRACE-4: a credential of the value "a" must not turn every text into masks."""
    redactor.register("a")
    redactor.register("hello")
    redactor.register("   x   ")
    assert redactor.text("a banana says    x   hello") == "a banana says    x   hello"


def test_the_least_length_is_a_setting() -> None:
    redactor = make(redact_min_length=4)
    redactor.register("hell")
    assert redactor.text("hello") == f"{MASK}o"


def test_the_mask_itself_is_never_masked(redactor: Redactor) -> None:
    redactor.register("REDACTED")
    redactor.register(MASK)
    redactor.register("some-secret")
    assert redactor.text(redactor.text("a some-secret b")) == f"a {MASK} b"


def test_surrounding_white_space_is_not_part_of_a_secret(redactor: Redactor) -> None:
    """A key read from a file ends in a newline; the header that carries it does not."""
    redactor.register("key-from-a-file\n")
    assert redactor.text("x key-from-a-file y") == f"x {MASK} y"


def test_a_long_secret_is_masked_whole_and_in_part(redactor: Redactor) -> None:
    secret = "".join(f"{n:05d}" for n in range(2000))
    redactor.register(secret)
    assert redactor.text(f"<{secret}>") == f"<{MASK}>"
    assert "00300" not in redactor.text(secret[700:2500])


def test_a_limit_leaves_no_half_of_a_secret(redactor: Redactor) -> None:
    """TRACE-4: cutting a text must not turn a secret into an unknown prefix of one."""
    redactor.register("super-secret-value")
    for limit in range(4, 30):
        masked = redactor.text("abcd super-secret-value efgh", limit=limit)
        assert "s" not in masked.replace(MASK, "")
    assert redactor.text("abcd super-secret-value efgh", limit=26) == f"abcd {MASK} ef"


def test_a_secret_is_masked_until_its_last_holder_lets_go(redactor: Redactor) -> None:
    redactor.register("shared-secret", holder="a")
    redactor.register("shared-secret", holder="a")
    redactor.register("shared-secret", holder="b")
    redactor.unregister("shared-secret", holder="a")
    redactor.unregister("shared-secret", holder="nobody")
    assert redactor.text("shared-secret") == MASK
    redactor.unregister("shared-secret", holder="b")
    assert redactor.text("shared-secret") == "shared-secret"
    redactor.unregister("shared-secret", holder="b")


def test_retired_values_are_masked_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that read the old value may still be logging."""
    now = 0.0
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: now))
    redactor = make()
    redactor.register("old-secret", holder=1)
    redactor.register("back-secret", holder=1)
    redactor.register("new-secret", holder=1)
    redactor.retire(1, keep="new-secret", after=60)
    redactor.register("back-secret", holder=1)
    assert redactor.text("old-secret new-secret") == f"{MASK} {MASK}"
    now = 61.0
    redactor.retire(2)
    assert redactor.text("old-secret new-secret back-secret") == f"old-secret {MASK} {MASK}"
    redactor.retire(1)
    assert len(redactor) == 0


def test_the_registry_is_bounded() -> None:
    """ALL-6: the value used least recently is forgotten, and counted."""
    redactor = make(redact_max_values=3)
    for name in ("one", "two", "three"):
        redactor.register(f"secret-{name}", holder=name)
    redactor.register("secret-one", holder="again")
    redactor.register("secret-four")
    assert len(redactor) == 3
    assert redactor.evicted == 1
    assert redactor.text("secret-one secret-two") == f"{MASK} secret-two"
    redactor.unregister("secret-two", holder="two")
    redactor.retire("two")


def test_an_index_that_was_emptied_holds_nothing() -> None:
    index = StringIndex(6)
    strings = [form for n in range(50) for form in forms_of(f"secret value {n}", min_length=6)]
    index.add(strings)
    index.remove(strings)
    assert len(index) == 0
    assert index.spans("secret value 1") == []
    assert not index._offsets.table
    assert not index._lengths.table
    assert not index._offsets._uses


def test_the_secrets_of_the_settings_are_known_from_the_beginning() -> None:
    """TRACE-4: the installation's own secrets are masked before anything is read from the database."""
    redactor = Redactor(
        SettingsService(
            secret_key="installation-secret-key-0123456789",
            database={"url": "postgresql://app:db%2Fpassword@host/name"},
            auth={"superuser_password": "first-password"},
        )
    )
    text = "installation-secret-key-0123456789 db/password db%2Fpassword first-password //host/name"
    assert redactor.text(text) == f"{MASK} {MASK} {MASK} {MASK} //host/name"


def test_threads_may_register_and_mask_at_once(redactor: Redactor) -> None:
    redactor.register("always-here-secret")
    failures: list[object] = []
    stop = threading.Event()

    def churn(worker: int) -> None:
        for round_ in range(150):
            secret = f"secret-{worker}-{round_}"
            redactor.register(secret, holder=worker)
            if redactor.text(f"x {secret} y") != f"x {MASK} y":
                failures.append(secret)
            redactor.retire(worker)

    def read() -> None:
        while not stop.is_set():
            if redactor.text("a always-here-secret b") != f"a {MASK} b":
                failures.append("read")

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=churn, args=(n,)) for n in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not failures
    assert redactor.text("secret-1-1") == "secret-1-1"


@example(strings=["aaaa", "aaaaa"], removed=[], text="aaaa", min_length=4)
@given(
    strings=st.lists(st.text("ab", min_size=4, max_size=9), min_size=1, max_size=6),
    removed=st.lists(st.text("ab", min_size=4, max_size=9), max_size=6),
    text=st.text("abc", max_size=60),
    min_length=st.integers(4, 6),
)
def test_the_index_finds_what_a_plain_search_finds(
    strings: list[str], removed: list[str], text: str, min_length: int
) -> None:
    strings = [string for string in strings if len(string) >= min_length]
    removed = [string for string in removed if len(string) >= min_length]
    index = StringIndex(min_length)
    index.add(strings + removed)
    index.remove(removed)
    expected = {
        max((start, start + len(string)) for string in strings if text.startswith(string, start))
        for start in range(len(text))
        if any(text.startswith(string, start) for string in strings)
    }
    assert set(index.spans(text)) == expected
