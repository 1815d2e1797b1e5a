"""The File component."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.attachments import text_in
from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["File"]

_TYPES = ("csv", "html", "js", "json", "log", "md", "py", "sh", "sql", "svg", "ts", "tsx", "txt", "xml", "yaml", "yml")


class File(Component):
    """Reads files of the user who runs the flow."""

    type_name = "File"
    category = "data"
    display_name = "File"
    description = "Loads content from one or more files."
    icon = "file-text"
    kind = "retriever"
    fields = (
        Field(
            name="path",
            type="file",
            display_name="Files",
            info="Files that were uploaded before; texts in UTF-8.",
            list=True,
            file_types=_TYPES,
        ),
        Field(
            name="separator",
            display_name="Separator",
            info="What stands between the texts of two files.",
            default="\n\n",
            advanced=True,
        ),
        Field(
            name="silent_errors",
            type="bool",
            display_name="Silent Errors",
            info="Leave out files that are missing or no text, instead of failing.",
            default=False,
            advanced=True,
        ),
    )
    outputs = (
        Output(name="message", display_name="Raw Content", method="load_files_message"),
        Output(name="dataframe", display_name="Files", types=("DataFrame",), method="load_files"),
        Output(name="path", display_name="File Path", method="load_files_path"),
    )

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Read the files, one after another."""
        rows: list[dict[str, str]] = []
        for path in _paths(inputs.get("path")):
            try:
                rows.append({"file_path": path, "text": text_in(path, await context.read_file(path))})
            except (NotFoundError, InvalidInputError):
                if not inputs.get("silent_errors"):
                    raise
        return {
            "message": Message(text=text_of(inputs.get("separator")).join(row["text"] for row in rows)),
            "dataframe": rows,
            "path": Message(text="\n".join(PurePosixPath(row["file_path"]).as_posix() for row in rows)),
        }


def _paths(value: Any) -> list[str]:
    given = value if isinstance(value, list | tuple) else [value]
    paths = [text_of(path) for path in given if path]
    if not paths:
        raise InvalidInputError(
            "a File has no file", service="shared_component_cache", fix="upload one, and choose it in the component"
        )
    return paths
