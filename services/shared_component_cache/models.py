"""Values that cross the boundary of the shared component cache."""

import msgspec

__all__ = ["ComponentDocument", "ComponentFailure"]


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
