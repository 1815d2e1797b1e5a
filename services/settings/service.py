"""The settings service."""

import builtins
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from bedplate.services.base import Service
from bedplate.services.errors import ConfigurationError, InvalidInputError
from bedplate.services.schema import ServiceType
from bedplate.services.settings.checks import CHECKS
from bedplate.services.settings.errors import SettingsError
from bedplate.services.settings.frozen import frozen
from bedplate.services.settings.groups.base import ServiceSettings
from bedplate.services.settings.keys import Key, dotted, nearest
from bedplate.services.settings.models import Settings
from bedplate.services.settings.reading import Reading

if TYPE_CHECKING:
    from bedplate.services.settings.flags import Flags

__all__ = ["SettingsService"]

M = TypeVar("M", bound=BaseModel)

_OF_NO_GROUP = ServiceSettings()


class SettingsService(Service):
    """The configuration, read once, when built, and frozen from then on; reading it writes nothing.

    From the strongest to the weakest source: the arguments; the environment (``BEDPLATE_CACHE__MAX_ENTRIES``); the file
    ``.env``; the file ``bedplate.toml``; the secrets directory; variables of Langflow that mean the same; the profile;
    the defaults.

    Args:
        **overrides: Values by name, those of a group as a dict: ``SettingsService(cache={"max_entries": 5})``.

    Raises:
        SettingsError: Something is wrong; it lists every problem of all sources.

    Attributes:
        values: The configuration: ``settings.values.cache.max_entries``.
    """

    type = ServiceType.SETTINGS
    checks = CHECKS

    def __init__(self, **overrides: Any) -> None:
        self._reading = Reading(Settings, overrides)
        self.values: Final = frozen(_read(self._reading))
        self._flags: Flags | None = None

    @property
    def flags(self) -> "Flags":
        """The feature flags; usable before ``start``, with a provider over the settings until another is given."""
        if self._flags is None:
            # The OpenFeature SDK is imported by those who use it.
            from bedplate.services.settings.flags import Flags

            self._flags = Flags(self.values.flags)
        return self._flags

    async def _stop(self) -> None:
        flags, self._flags = self._flags, None
        if flags is not None:
            await flags.close()

    @property
    def aliases(self) -> Mapping[str, str]:
        """The variables of Langflow that were read, each with the setting that it gives its value to."""
        return {name: dotted(key) for name, key in self._reading.aliases.items()}

    @property
    def foreign(self) -> Collection[str]:
        """The names of the variables in the file ``.env`` that are not Bedplate's."""
        return self._reading.foreign.keys()

    def origin(self, key: str) -> str:
        """Where the value of a setting came from, such as ``"environment BEDPLATE_CACHE__MAX_ENTRIES"``.

        Args:
            key: The setting, such as ``"cache.max_entries"``.

        Raises:
            InvalidInputError: There is no such setting.
        """
        return self._reading.origin(self._known(key))

    def file(self, key: str) -> Path | None:
        """The file that the value of a setting came from; None if it came from none.

        Raises:
            InvalidInputError: There is no such setting.
        """
        return self._reading.files.get(self._known(key))

    def of(self, service: str) -> ServiceSettings:
        """The common settings of a service by name; the defaults for one without a group of its own."""
        group = getattr(self.values, service, None)
        return group if isinstance(group, ServiceSettings) else _OF_NO_GROUP

    def plugin_options(self, plugin: str, model: builtins.type[M]) -> M:
        """What the settings tell a plug-in, as a model of its own.

        Args:
            plugin: Its name in ``BEDPLATE_PLUGINS__OPTIONS``.
            model: A pydantic model; give secrets the type ``SecretStr``.

        Raises:
            ConfigurationError: An option is missing, unknown to a model that forbids extra ones, or of the wrong type.
        """
        options = self.values.plugins.options.get(plugin, {})
        wrong = "not valid"
        try:
            return model.model_validate({name: value.get_secret_value() for name, value in options.items()})
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        # Raised here and not above: an exception keeps the one that it was raised in, and that one holds the values.
        raise ConfigurationError(
            f"the options of the plug-in {plugin!r} are wrong",
            service=plugin,
            why=wrong,
            fix=f'set them, such as BEDPLATE_PLUGINS__OPTIONS=\'{{"{plugin}": {{"name": "value"}}}}\'',
        )

    def environment(self, prefix: str) -> dict[str, str]:
        """The variables of others that begin so, such as ``OTEL_``: those of the process, over those of ``.env``."""
        given = self._reading.foreign | os.environ
        return {name: value for name, value in given.items() if name.startswith(prefix)}

    def backend_of(self, service: ServiceType) -> tuple[str, str]:
        """The name of the configured backend of a service, and where that setting came from."""
        return self.of(service).backend, self._reading.origin((service, "backend"))

    def value(self, key: str) -> Any:
        """The value of a setting by name; secrets stay wrapped.

        Raises:
            InvalidInputError: There is no such setting.
        """
        value: Any = self.values
        for name in self._known(key):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        return value

    def __repr__(self) -> str:
        return f"<SettingsService profile={self.values.profile!r}>"

    def _known(self, key: str) -> Key:
        names = tuple(key.split("."))
        if names in self._reading.fields:
            return names
        for table in self._reading.tables:
            entry = (*table, key.removeprefix(f"{dotted(table)}."))
            if entry in self._reading.origins:
                return entry
        meant = nearest(names, self._reading.fields)
        raise InvalidInputError(
            f"there is no setting {key!r}",
            service=self.type,
            fix=f"did you mean {dotted(meant)!r}?" if meant else "see `bedplate settings show` for all of them",
        )


def _read(reading: Reading) -> Settings:
    invalid: ValidationError
    try:
        values = Settings(reading)
    except ValidationError as error:
        invalid = error
    else:
        if not reading.problems:
            return values
        raise SettingsError(reading.problems)
    # Raised here and not above: an exception keeps the one that it was raised in, and that one holds the values.
    reading.refuse_invalid(invalid.errors(include_input=False, include_url=False))
    raise SettingsError(reading.problems)
