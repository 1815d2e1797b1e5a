"""What files say to a language model: text as text, images as data URLs."""

import base64
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from bedplate.services.errors import InvalidInputError
from bedplate.services.shared_component_cache.component_context import ComponentContext

__all__ = ["text_in", "user_content"]

_IMAGES = {
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""The kinds of images that vision models take, by extension."""


def text_in(path: str, content: bytes) -> str:
    """The text that a file holds.

    Raises:
        InvalidInputError: It is no text in UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInputError(
            f"the file {PurePosixPath(path).name!r} is not a text in UTF-8",
            service="shared_component_cache",
            fix="convert it to text first",
        )
    return text


async def user_content(text: str, files: Sequence[str], context: ComponentContext) -> str | list[dict[str, Any]]:
    """What a user says to a model: the text with the attached files, as the chat completions API takes it.

    Args:
        text: What was said.
        files: Paths of the attached files, which must be the user's own.
        context: Reads them.

    Raises:
        NotFoundError: A file is not there.
        InvalidInputError: A file is neither text nor an image that models take, or too large.
    """
    images: list[dict[str, Any]] = []
    for path in files:
        content = await context.read_file(path)
        name = PurePosixPath(path).name
        if kind := _IMAGES.get(PurePosixPath(path).suffix.lower()):
            url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
            images.append({"type": "image_url", "image_url": {"url": url}})
        else:
            text = f"{text}\n\n{name}:\n{text_in(path, content)}".lstrip()
    return [{"type": "text", "text": text}, *images] if images else text
