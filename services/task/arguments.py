"""The arguments of a task: data that fits the signature of its function, as JSON; never pickles."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from bedplate.services.task.context import TaskContext
from bedplate.services.task.errors import (
    TaskArgumentsError,
    TaskArgumentsTooLargeError,
    TaskDefinitionError,
    TaskResultError,
)

__all__ = ["Arguments", "encode_result"]

_REFUSED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


class Arguments:
    """The arguments that a function takes.

    Args:
        name: The task.
        function: Its function; injected parameters are not in its visible signature.

    Attributes:
        context: The name of its parameter for the :class:`TaskContext`; None if it has none.
        required: The names of those that have no default.

    Raises:
        TaskDefinitionError: The function has parameters that data cannot fill.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self.context: str | None = None
        where = f"{function.__module__}.{function.__qualname__}()"
        fields = []
        for parameter in _signature(function, where).parameters.values():
            if parameter.annotation is TaskContext:
                self.context = parameter.name
            else:
                fields.append(_field(parameter, where))
        self.required = tuple(field[0] for field in fields if len(field) == 2)
        try:
            self._type = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
            self._decoder = msgspec.json.Decoder(self._type, dec_hook=_from_data)
        except (TypeError, ValueError) as error:
            raise TaskDefinitionError(
                where, f"its parameters are no data: {error}", fix="annotate them with types that JSON can hold"
            ) from error

    def encode(self, given: Mapping[str, Any], limit: int) -> str:
        """The JSON of arguments that fit.

        Raises:
            TaskArgumentsError: They do not fit, or are no data.
            TaskArgumentsTooLargeError: There are more than ``limit`` bytes.
        """
        try:
            data = _encoder.encode(dict(given))
            if len(data) <= limit:
                self.decode(data)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TaskArgumentsError(self._name, _why(error)) from None
        if len(data) > limit:
            raise TaskArgumentsTooLargeError(limit)
        return data.decode()

    def decode(self, data: str | bytes) -> dict[str, Any]:
        """What the function is called with.

        Raises:
            TaskArgumentsError: It does not fit the function, which may be another than when it was submitted.
        """
        try:
            arguments = self._decoder.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise TaskArgumentsError(self._name, _why(error)) from None
        return {name: getattr(arguments, name) for name in arguments.__struct_fields__}


def encode_result(value: Any, limit: int) -> str:
    """The JSON of what a function returned.

    Raises:
        TaskResultError: It is no data, or has more than ``limit`` bytes.
    """
    try:
        data = _encoder.encode(value)
        text = data.decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TaskResultError(
            f"the task returned what is no data: {_why(error)}", fix="return what JSON can hold, or nothing"
        ) from None
    if len(data) > limit:
        raise TaskResultError(
            f"the task returned more than {limit} bytes of JSON",
            fix="save what is large in the storage and return its name, or raise BEDPLATE_TASK__MAX_RESULT_BYTES",
        )
    return text


def _signature(function: Callable[..., Any], where: str) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except NameError as error:
        raise TaskDefinitionError(
            where, f"an annotation cannot be evaluated: {error}", fix="import its names at run time"
        ) from error


def _field(parameter: inspect.Parameter, where: str) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.kind in _REFUSED:
        raise TaskDefinitionError(where, f"{parameter} cannot be filled by name", fix="use ordinary parameters")
    markers = (*getattr(parameter.annotation, "__metadata__", ()), parameter.default)
    if any(type(one).__name__ in ("Provide", "Provider") for one in markers):
        raise TaskDefinitionError(where, f"{parameter.name!r} is injected too late", fix="put @inject under @task")
    kind = Any if parameter.annotation is parameter.empty else parameter.annotation
    if parameter.default is parameter.empty:
        return parameter.name, kind
    return parameter.name, kind, msgspec.field(default_factory=lambda: parameter.default)


def _to_data(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"values of type {type(value).__name__} are no data")


def _from_data(kind: type, value: Any) -> Any:
    if issubclass(kind, BaseModel):
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{first['msg']} - at {place or kind.__name__}") from None
    raise NotImplementedError(f"the type {kind!r} is no data")


def _why(error: BaseException) -> str:
    return "they are nested too deeply" if isinstance(error, RecursionError) else str(error)


_encoder = msgspec.json.Encoder(enc_hook=_to_data)
