"""What names, tags, versions and texts of the store may be, and what follows from them."""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bedplate.services.store.errors import InvalidComponentError

if TYPE_CHECKING:
    import semver

__all__ = [
    "check_name",
    "check_text",
    "check_version",
    "checked_tags",
    "highest",
    "id_in",
    "namespaced",
    "next_version",
    "slug_of",
    "tag_id",
    "version_key",
]

MAX_NAME = 255
MAX_DESCRIPTION = 10_000
MAX_TAG = 64
MAX_VERSION = 64
MAX_REASON = 1_000
FIRST_VERSION = "1.0.0"

_TAGS = uuid.UUID("6d2f4c0e-6d0c-5d0a-9c3b-4f4b1a0f7c55")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NAMESPACED = re.compile(r"(?P<username>.+)/(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)", re.DOTALL)
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_LONGEST_SLUG = 64


def check_name(name: str) -> None:
    """Raise unless it is a name for people.

    Raises:
        InvalidComponentError: It is empty, too long, or has control characters.
    """
    if not name.strip():
        raise InvalidComponentError("the name is empty", fix="give it a name")
    _check_line("the name", name, MAX_NAME)


def check_text(what: str, text: str | None, longest: int = MAX_DESCRIPTION) -> None:
    """Raise unless every database can store the text.

    Args:
        what: What it is, for the error.
        text: The text; None will do.
        longest: Most characters of it.

    Raises:
        InvalidComponentError: It is too long, or has a NUL or half a surrogate pair.
    """
    if text is not None and len(text) > longest:
        raise InvalidComponentError(f"{what} has {len(text)} characters", fix=f"use at most {longest}")
    if text is not None and _UNSTORABLE.search(text):
        raise InvalidComponentError(f"{what} has characters that cannot be stored", fix="leave them out")


def check_version(version: str) -> None:
    """Raise unless it is a semantic version (2.0.0, https://semver.org).

    Raises:
        InvalidComponentError: It is not.
    """
    import semver  # no start should pay for it

    if len(version) > MAX_VERSION or not semver.Version.is_valid(version):
        raise InvalidComponentError(
            "the version is not a semantic version", fix="use a form such as 1.2.3 or 2.0.0-beta.1"
        )


def checked_tags(tags: Iterable[str], most: int) -> tuple[str, ...]:
    """The tags, each once, without white space around them.

    Raises:
        InvalidComponentError: They are too many, or one of them is no tag.
    """
    kept: dict[str, str] = {}
    for tag in tags:
        name = tag.strip()
        if not name:
            raise InvalidComponentError("a tag is empty", fix="leave it out")
        _check_line("a tag", name, MAX_TAG)
        if "," in name:
            raise InvalidComponentError("a tag has a comma in it", fix="make two tags of it")
        kept.setdefault(_folded(name), name)
    if len(kept) > most:
        raise InvalidComponentError(f"there are {len(kept)} tags", fix=f"use at most {most}")
    return tuple(kept.values())


def tag_id(name: str) -> uuid.UUID:
    """The id of the tag with this name, whatever its case."""
    return uuid.uuid5(_TAGS, _folded(name))


def slug_of(name: str, taken: Iterable[str]) -> str:
    """A slug for something of this name: lower-case letters and digits with hyphens between, with a number if taken."""
    ascii_only = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    slug = _NO_SLUG.sub("-", ascii_only).strip("-")[:_LONGEST_SLUG].rstrip("-") or "component"
    known = set(taken)
    return (
        slug
        if slug not in known
        else next(numbered for number in range(2, len(known) + 3) if (numbered := f"{slug}-{number}") not in known)
    )


def id_in(text: str) -> uuid.UUID | None:
    """The first id that stands in a text, such as the address of a component's page."""
    found = _UUID.search(text)
    return uuid.UUID(found[0]) if found else None


def namespaced(text: str) -> tuple[str, str] | None:
    """The user name and the slug of a namespaced id; None if it is none."""
    found = _NAMESPACED.fullmatch(text)
    return (found["username"], found["slug"]) if found else None


def version_key(version: str) -> "semver.Version":
    """What versions are compared by."""
    import semver

    return semver.Version.parse(version)


def highest(versions: Sequence[str]) -> str | None:
    """The highest version; a pre-release only where there is nothing else."""
    finals = [version for version in versions if version_key(version).prerelease is None]
    return max(finals or versions, key=version_key, default=None)


def next_version(versions: Sequence[str]) -> str:
    """The patch after the highest version, be it a pre-release; the first one where there are none."""
    if not versions:
        return FIRST_VERSION
    return str(max(map(version_key, versions)).finalize_version().bump_patch())


def _check_line(what: str, text: str, longest: int) -> None:
    if _CONTROL.search(text):
        raise InvalidComponentError(f"{what} has control characters", fix="leave them out")
    if len(text) > longest:
        raise InvalidComponentError(f"{what} has {len(text)} characters", fix=f"use at most {longest}")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
