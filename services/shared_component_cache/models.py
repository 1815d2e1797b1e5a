"""Values that cross the boundary of the shared component cache."""

import msgspec

__all__ = ["ComponentDocument", "ComponentFailure", "Reloaded"]


class ComponentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The definitions of all component types, ready to be sent.

    Attributes:
        body: JSON: type definitions by type name, by category.
        gzip: The same, compressed.
        etag: Digest of the content as a strong entity tag (RFC 9110, section 8.8.3), quotes included.
    """

    body: bytes
    gzip: bytes
    etag: str


class ComponentFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should have brought component types and did not.

    Attributes:
        origin: The file, or the entry point.
        error: Why, in one line.
    """

    origin: str
    error: str


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What loading the components anew has changed.

    Attributes:
        added: Names of types that are new.
        removed: Names of types that are gone.
        failures: What could not be loaded; of a file that was there before, the version before stays.
        etag: The digest of all definitions now.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    failures: tuple[ComponentFailure, ...]
    etag: str
