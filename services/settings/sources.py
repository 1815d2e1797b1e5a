"""The sources of settings, from the strongest to the weakest, for pydantic-settings to merge."""

import os
import re
import tomllib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bedplate.services.settings.aliases import ALIASES
from bedplate.services.settings.files import read_text
from bedplate.services.settings.keys import ENVIRONMENT_PREFIX, Key, dotted, environment_name
from bedplate.services.settings.profiles import PROFILES
from bedplate.services.settings.reading import Reading
from bedplate.services.settings.values import entry_from_text, from_text

__all__ = ["sources_of"]

T = TypeVar("T")

# Not settings: the reference documents that acceptance tests read …
_NOT_SETTINGS = frozenset({"BEDPLATE_REFERENCE_DIR"})
# … and what Kubernetes injects for each service whose name begins with "bedplate".
_SERVICE_LINK = re.compile(r"BEDPLATE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\w+)")
_SERVICE_LINK_URL = re.compile(r"BEDPLATE_(?:\w+_)?PORT=(?:tcp|udp|sctp)://.*", re.DOTALL)


def sources_of(model: type[BaseSettings], reading: Reading) -> tuple[PydanticBaseSettingsSource, ...]:
    """All sources, in the order of precedence."""
    return tuple(
        source(model, reading)
        for source in (
            ArgumentsSource,
            EnvironmentSource,
            DotEnvSource,
            TomlSource,
            SecretsSource,
            AliasSource,
            ProfileSource,
        )
    )


class Source(PydanticBaseSettingsSource):
    """A source that writes down where each value came from and what is wrong, instead of raising at the first.

    Attributes:
        settled: The settings that say where this source and the stronger ones are; it comes too late to give them.
    """

    settled: ClassVar[frozenset[Key]] = frozenset()

    def __init__(self, model: type[BaseSettings], reading: Reading) -> None:
        super().__init__(model)
        self._reading = reading
        self._found: dict[str, Any] = {}
        self._taken: set[Key] = set()
        self._file: Path | None = None  # where the values come from that are being taken

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: a source is read as a whole, so that unknown names are seen too."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        self._read()
        return self._found

    @abstractmethod
    def _read(self) -> None:
        """Take what the source has."""

    def _admit(self, key: Key, value: Any, origin: str) -> None:
        if key in self.settled:
            what, fix = "is set where it comes too late", f"set {environment_name(key)} in the environment"
            self._reading.refuse(key, value, origin, what=what, fix=fix)
        elif key not in self._taken:
            self._taken.add(key)
            self._reading.admit(self._found, key, value, origin, self._file)

    def _take_entries(self, table: Key, value: Any, origin: Callable[[Key], str]) -> None:
        """Take a table of free names, entry by entry; one that a stronger source has is left to that as a whole."""
        if not isinstance(value, Mapping):
            what, fix = "is no table", f"set {dotted(table)}.<name> to a value"
            self._reading.refuse(table, value, origin(table), what=what, fix=fix)
            return
        for name, entry in value.items():
            key = (*table, str(name))
            if key not in self._reading.origins:
                self._admit(key, entry, origin(key))

    def _located(self, setting: str) -> tuple[Path, bool]:
        """The path that a setting names, and whether it was named rather than the default."""
        given = self.current_state.get(setting)
        path = given if isinstance(given, str | Path) else self.settings_cls.model_fields[setting].default
        return Path(path).expanduser().absolute(), given is not None


class StructuredSource(Source):
    """A source of nested tables."""

    def _take(self, table: Mapping[str, Any], above: Key = ()) -> None:
        for name, value in table.items():
            key = (*above, name)
            origin = self._origin(key)
            if key in self._reading.tables:
                self._take_entries(key, value, self._origin)
            elif key in self._reading.fields:
                self._admit(key, value, origin)
            elif key not in self._reading.groups:
                self._reading.refuse_unknown(key, value, origin, dotted)
            elif isinstance(value, Mapping):
                self._take(value, key)
            else:
                fix = f"set {dotted(key)}.<name> instead"
                self._reading.refuse(key, value, origin, what="is a group of settings", fix=fix)

    @abstractmethod
    def _origin(self, key: Key) -> str:
        """How this source names a value of its own."""


class TextSource(Source):
    """A source of names and texts in the form of environment variables."""

    def _take(self, name: str, text: str | None, origin: str) -> None:
        spelt = name.upper()
        if not spelt.startswith(ENVIRONMENT_PREFIX) or spelt in _NOT_SETTINGS:
            return
        key = tuple(spelt.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if key in self._reading.fields or key[:-1] in self._reading.tables:
            self._convert(key, text, origin)
        elif key in self._reading.groups:
            fix = f"set {environment_name(key)}__<NAME> instead"
            self._reading.refuse(key, text, origin, what="is a group of settings", fix=fix)
        elif not self._ignores(spelt, text or ""):
            self._reading.refuse_unknown(key, text, origin, environment_name)

    def _convert(self, key: Key, text: str | None, origin: str) -> None:
        field = self._reading.fields.get(key)
        try:
            value = from_text(field, text or "") if field else entry_from_text(text or "")
        except ValueError as error:
            fix = "give it a value, or leave it out"
            self._reading.refuse(key, text, origin, what=str(error), fix=fix)
            return
        if key in self._reading.tables:
            self._take_entries(key, value, lambda _: origin)
        elif field is None:
            self._take_entries(key[:-1], {key[-1]: value}, lambda _: origin)
        else:
            self._admit(key, value, origin)

    def _ignores(self, name: str, text: str) -> bool:
        """Whether a name that is no setting is somebody else's."""
        return False


class ArgumentsSource(StructuredSource):
    """The arguments of the constructor."""

    def _read(self) -> None:
        self._take(self._reading.overrides)

    def _origin(self, key: Key) -> str:
        return f"argument {dotted(key)}"


class EnvironmentSource(TextSource):
    """The environment of the process; of two names that differ in case only, the one in capitals wins."""

    def _read(self) -> None:
        for name in _entries_first(sorted(os.environ)):
            self._take(name, os.environ[name], f"environment {name}")

    def _ignores(self, name: str, text: str) -> bool:
        if "__" in name:
            return False
        return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_LINK_URL.fullmatch(f"{name}={text}"))


class DotEnvSource(TextSource):
    """A file of ``NAME=value`` lines; names of other applications in it are left alone."""

    settled = frozenset({("env_file",)})

    def _read(self) -> None:
        path, named = self._located("env_file")
        text = read_text(self._reading, "env_file", path, required=named)
        if text is None:
            return
        self._file = path
        # Imported when there is such a file: most starts have none.
        from dotenv import dotenv_values
        from dotenv.parser import parse_stream

        bindings = list(parse_stream(StringIO(text)))
        for line in (binding.original.line for binding in bindings if binding.error):
            what, fix = f"cannot be read at line {line}", "write NAME=value there, with quotes closed"
            self._reading.refuse_file("env_file", str(path), "a file", what=what, fix=fix)
        sound = "".join(binding.original.string for binding in bindings if not binding.error)
        values = dotenv_values(stream=StringIO(sound))
        for name in _entries_first(values):
            value = values[name]
            self._take(name, value, f"{path} {name}")
            if value is not None and not name.upper().startswith(ENVIRONMENT_PREFIX):
                self._reading.foreign[name] = value


class TomlSource(StructuredSource):
    """A TOML file with one table a group."""

    settled = frozenset({("env_file",), ("config_file",)})

    def _read(self) -> None:
        path, named = self._located("config_file")
        self._file = path
        text = read_text(self._reading, "config_file", path, required=named)
        if text is None:
            return
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            # The parser's message may quote the file; the place at its end is enough, and is no secret.
            place = re.search(r"\(at ([^()]*)\)$", str(error))
            what = f"is not TOML at {place[1]}" if place else "is not TOML"
            self._reading.refuse_file("config_file", str(path), "a file", what=what, fix="correct the syntax")
        else:
            self._take(table)

    def _origin(self, key: Key) -> str:
        return f"{self._file} {dotted(key)}"


class SecretsSource(TextSource):
    """A folder with one file a value, named as the environment variable in either case; other files are left alone."""

    settled = frozenset({("env_file",), ("config_file",), ("secrets_dir",)})

    _MAX_BYTES: ClassVar[int] = 64 * 1024

    def _read(self) -> None:
        if self.current_state.get("secrets_dir") is None:
            return
        folder, _ = self._located("secrets_dir")
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            what, fix = f"cannot be listed ({error.strerror})", "name a folder that exists and can be read"
            self._reading.refuse_file("secrets_dir", str(folder), "no folder", what=what, fix=fix)
            return
        for path in _entries_first(paths, lambda path: path.name):
            if path.name.upper().startswith(ENVIRONMENT_PREFIX):
                text = read_text(self._reading, "secrets_dir", path, required=True, limit=self._MAX_BYTES)
                if text is not None:
                    self._file = path
                    self._take(path.name, text.strip(), f"secret file {path}")


def _entries_first(names: Iterable[T], spelt: Callable[[T], str] = str) -> list[T]:
    """The names in their order, but those of entries before that of their table, which they overrule."""
    return sorted(names, key=lambda name: -spelt(name).count("__"))


class AliasSource(TextSource):
    """Variables of Langflow that mean the same as a setting, in the environment, then in the file ``.env``."""

    settled = frozenset({("env_file",), ("config_file",), ("secrets_dir",)})

    def _read(self) -> None:
        path, _ = self._located("env_file")
        for variables, place in ((os.environ, "environment"), (self._reading.foreign, path)):
            self._file = path if place is path else None
            for name, alias in ALIASES.items():
                # One that is overruled is not looked at, and an empty one says nothing, as in Langflow's examples.
                text = None if alias.key in self._reading.origins else variables.get(name)
                if text and (meaning := alias.convert(text)) is not None:
                    self._reading.aliases[name] = alias.key
                    self._convert(alias.key, meaning, f"{place} {name}")


class ProfileSource(StructuredSource):
    """The defaults of the chosen profile."""

    def _read(self) -> None:
        self._profile = self.current_state.get("profile", self.settings_cls.model_fields["profile"].default)
        self._take(PROFILES.get(self._profile, {}) if isinstance(self._profile, str) else {})

    def _origin(self, key: Key) -> str:
        return f"profile {self._profile}"
