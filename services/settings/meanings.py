"""What each setting is for: the docstring under its field.

Read from the source when somebody asks. Pydantic can do so when the classes are made, which costs every start 50 ms.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from bedplate.services.settings.keys import Key

__all__ = ["meaning_of"]


def meaning_of(model: type[BaseModel], key: Key) -> str:
    """What the setting is for, as plain text in one line, without a full stop; empty for a group."""
    for name in key[:-1]:
        annotation = model.model_fields[name].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model = annotation
    docstrings = (_docstrings(cls).get(key[-1]) for cls in model.__mro__ if issubclass(cls, BaseModel))
    text = next(filter(None, docstrings), "")
    return " ".join(text.replace("``", "").split()).rstrip(".")


@functools.cache
def _docstrings(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    (definition,) = ast.parse(source).body
    return dict(_documented(definition)) if isinstance(definition, ast.ClassDef) else {}


def _documented(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
