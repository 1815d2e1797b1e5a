"""ALL-3: secrets in texts that come in pieces."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bedplate.wiring.runs.masking import StreamMask

SECRET = "sk-abcabd-0123"


def mask(text: str) -> str:
    return text.replace(SECRET, "[masked]")


def shown(pieces: list[str], secrets: set[str]) -> list[str]:
    stream = StreamMask(mask, secrets)
    return [*(stream.feed(piece) for piece in pieces), stream.rest()]


@given(
    before=st.text(alphabet="sk-abcd0123 ", max_size=12),
    after=st.text(alphabet="sk-abcd0123 ", max_size=12),
    cuts=st.sets(st.integers(0, 40), max_size=8),
)
def test_secret_in_pieces_is_masked_as_if_it_came_whole(before, after, cuts):
    """ALL-3: however the text is cut, no part of the secret is shown, and nothing else is lost or doubled."""
    text = before + SECRET + after
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    assert "".join(shown(pieces, {SECRET})) == mask(text)


def test_only_what_may_begin_a_secret_is_held_back():
    """CHAT-2: streaming is not delayed by masking."""
    assert shown(["You said", ": ", "hello s", "o", " sk", "y"], {SECRET}) == [
        "You said",
        ": ",
        "hello ",
        "so",
        " ",
        "sky",
        "",
    ]


def test_end_of_the_stream_gives_out_what_was_held_back():
    """CHAT-2: no text is lost."""
    assert shown(["the end sk-abc"], {SECRET}) == ["the end ", "sk-abc"]


def test_secret_that_is_read_while_the_stream_goes_on_counts():
    """ALL-3: the run may read a secret after its first token."""
    secrets: set[str] = set()
    stream = StreamMask(mask, secrets)
    assert stream.feed("sk-") == "sk-"
    secrets.add(SECRET)
    assert stream.feed(" sk-abcabd-") == " "
    assert stream.feed("0123.") == "[masked]."
