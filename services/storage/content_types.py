"""Content types by extension."""

import mimetypes

__all__ = ["content_type_of"]

DEFAULT = "application/octet-stream"

# Without the files of the system, so that the same name means the same on every machine.
_types = mimetypes.MimeTypes()
for _type, _extension in (
    ("text/markdown", ".md"),
    ("application/yaml", ".yaml"),
    ("application/yaml", ".yml"),
    ("application/x-ndjson", ".jsonl"),
    ("image/webp", ".webp"),
    ("image/avif", ".avif"),
    ("application/toml", ".toml"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx"),
):
    _types.add_type(_type, _extension)


def content_type_of(name: str) -> str:
    """The media type that the extension of the name stands for; a packed file is what packs it."""
    # The leading segment keeps a name such as "data:x" from being read as a URL.
    kind, encoding = _types.guess_type("./" + name)
    if encoding is not None:
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(
            encoding, DEFAULT
        )
    return kind or DEFAULT
