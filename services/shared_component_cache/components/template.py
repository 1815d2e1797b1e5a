"""Templates of prompts: ``{name}`` stands for a value, doubled braces for themselves."""

import re
from collections.abc import Mapping
from typing import Any

from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["fill", "variables"]

_TOKEN = re.compile(r"\{\{|\}\}|\{([^\W\d][\w-]*)\}")


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Put values in the places of their names; a name without a value becomes nothing.

    Braces around anything but a name, such as those of JSON, stand for themselves, so that no template fails.

    Args:
        template: The text with places.
        values: Values by name; each is put in as :func:`text_of` says it.
    """

    def replace(token: re.Match[str]) -> str:
        name = token[1]
        return token[0][0] if name is None else text_of(values.get(name))

    return _TOKEN.sub(replace, template)


def variables(template: str) -> tuple[str, ...]:
    """The names in a template, each once, in order."""
    return tuple(dict.fromkeys(token[1] for token in _TOKEN.finditer(template) if token[1] is not None))
