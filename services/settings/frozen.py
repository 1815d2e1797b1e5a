"""Settings as plain objects: an attribute of a pydantic model costs four times as much as any other.

Pydantic defines ``__getattr__``, for which the interpreter takes the slow way to every attribute. What is made here has
a slot for each setting and nothing of that kind; everything else it leaves to the model that it was made of.
"""

import functools
from collections.abc import Iterator
from typing import Any, TypeVar, cast

from pydantic import BaseModel

__all__ = ["frozen"]

M = TypeVar("M", bound=BaseModel)


def frozen(model: M) -> M:
    """The same settings, quicker to read; groups in it too.

    It is an instance of the model's class by ``isinstance``, is equal to what the model is equal to, and has its
    methods for dumping and copying.
    """
    view = _view_of(type(model))()
    for name in type(model).model_fields:
        value = getattr(model, name)
        object.__setattr__(view, name, frozen(value) if isinstance(value, BaseModel) else value)
    object.__setattr__(view, "_model", model)
    return cast("M", view)


class _View:
    """See :func:`frozen`."""

    __slots__ = ("_model",)

    _model: BaseModel

    @property  # type: ignore[misc]  # what isinstance() asks, as of proxies
    def __class__(self) -> type[BaseModel]:  # type: ignore[override]  # the same
        return type(self._model)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._model, name, value)  # which is frozen, and says so

    def __delattr__(self, name: str) -> None:
        delattr(self._model, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._model == (other._model if isinstance(other, _View) else other))

    def __hash__(self) -> int:
        return hash(self._model)

    def __repr__(self) -> str:
        return repr(self._model)

    def __str__(self) -> str:
        return str(self._model)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """As pydantic's: names and values."""
        return iter(self._model)

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """As pydantic's."""
        return self._model.model_dump(**options)

    def model_dump_json(self, **options: Any) -> str:
        """As pydantic's."""
        return self._model.model_dump_json(**options)

    def model_copy(self, **options: Any) -> BaseModel:
        """As pydantic's; a model, not one of these."""
        return self._model.model_copy(**options)


@functools.cache
def _view_of(model: type[BaseModel]) -> type[_View]:
    """The class of the views of a model."""
    names = {
        "__slots__": tuple(model.model_fields),
        "__doc__": model.__doc__,
        "__module__": model.__module__,
        "model_fields": model.model_fields,
    }
    return type(model.__name__, (_View,), names)
