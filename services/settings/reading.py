"""One reading of all sources: where each value came from, and everything that is wrong."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from bedplate.services.settings.errors import Problem
from bedplate.services.settings.keys import Key, dotted, environment_name, fields_of, groups_of, nearest, tables_of
from bedplate.services.settings.meanings import meaning_of
from bedplate.services.settings.values import sealed, shape_of

__all__ = ["DEFAULT_ORIGIN", "Reading"]

DEFAULT_ORIGIN = "default"


class Reading:
    """The ledger that every source writes to while the settings are read.

    Args:
        model: The model of the settings.
        overrides: The arguments of the constructor.

    Attributes:
        fields: Every setting by its key.
        groups: Every group by its key.
        tables: Every setting that is a table of free names by its key; an entry's key is that with the name.
        overrides: As given.
        origins: Where the value of each setting that some source gives came from.
        files: The file that the value came from, where it was one.
        problems: What is wrong so far.
        foreign: What the file ``.env`` holds beside variables of Bedplate.
        aliases: The variables of Langflow that give a setting its value, with the setting.
    """

    def __init__(self, model: type[BaseModel], overrides: Mapping[str, Any]) -> None:
        self._model = model
        self.fields = fields_of(model)
        self.groups = groups_of(model)
        self.tables = tables_of(model)
        self.overrides = overrides
        self.origins: dict[Key, str] = {}
        self.files: dict[Key, Path] = {}
        self.problems: list[Problem] = []
        self.foreign: dict[str, str] = {}
        self.aliases: dict[str, Key] = {}
        self._shapes: dict[Key, str] = {}

    def admit(self, into: dict[str, Any], key: Key, value: Any, origin: str, file: Path | None = None) -> None:
        """Take a value of a known setting from a source; sources of higher precedence have been read before."""
        if key in self.fields:
            value = sealed(self.fields[key], value)
        if key not in self.origins:
            self.origins[key] = origin
            if file is not None:
                self.files[key] = file
            self._shapes[key] = shape_of(value)
        for name in key[:-1]:
            into = into.setdefault(name, {})
        into[key[-1]] = value

    def refuse_unknown(self, key: Key, value: Any, origin: str, spell: Callable[[Key], str]) -> None:
        """Note a name that is no setting, with the nearest one as this source spells it."""
        known = self.groups if isinstance(value, Mapping) else self.fields
        meant = nearest(key, known)
        self.refuse(
            key,
            value,
            origin,
            what="there is no such setting",
            fix=f"did you mean {spell(meant)}?" if meant else "remove it; `bedplate settings env` lists the names",
        )

    def refuse(self, key: Key, value: Any, origin: str, *, what: str, fix: str) -> None:
        """Note something wrong with what a source gives."""
        self.problems.append(Problem(key=dotted(key), origin=origin, shape=shape_of(value), what=what, fix=fix))

    def refuse_file(self, setting: str, origin: str, shape: str, *, what: str, fix: str) -> None:
        """Note a whole file or folder that cannot be read; ``setting`` is the one that names it."""
        self.problems.append(Problem(key=setting, origin=origin, shape=shape, what=what, fix=fix))

    def refuse_invalid(self, errors: Sequence[ErrorDetails]) -> None:
        """Note what validation found, in terms of keys and origins."""
        for error in errors:
            location = tuple(str(part) for part in error["loc"])
            key = self._setting_at(location)
            self.problems.append(
                Problem(
                    key=dotted(location),
                    origin=self.origin(key),
                    shape=self._shapes.get(key, "the default"),
                    what=error["msg"].removeprefix("Input ").removeprefix("Value error, "),
                    fix=f"correct {environment_name(key)}: {meaning_of(self._model, key)}".removesuffix(": "),
                )
            )

    def origin(self, key: Key) -> str:
        """Where the value of this setting, or those of this group, came from."""
        within = {origin: None for other, origin in self.origins.items() if other[: len(key)] == key}
        return ", ".join(within) or DEFAULT_ORIGIN

    def _setting_at(self, location: Key) -> Key:
        """The setting that a place in the model belongs to; the place itself if that is a group."""
        depths = range(len(location), 0, -1)
        known = self.fields.keys() | self.origins.keys()
        return next((location[:depth] for depth in depths if location[:depth] in known), location)
