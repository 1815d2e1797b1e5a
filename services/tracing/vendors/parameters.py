"""How a language model was asked, in what its step was given: numbers, which tell nothing of what it was asked."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["parameters_of"]

_WHOLE: Final = ("max_tokens", "seed")
_REAL: Final = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")


def parameters_of(inputs: Any) -> Mapping[str, int | float]:
    """The parameters by their names under the conventions, of inputs that are called the same."""
    if not isinstance(inputs, dict):
        return {}
    found: dict[str, int | float] = {}
    for name in (*_REAL, *_WHOLE):
        value = inputs.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = int(value) if name in _WHOLE else float(value)
    return found
