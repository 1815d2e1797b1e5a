"""Definitions of feature flags."""

from typing import Annotated, Any, Self, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from bedplate.services.settings.groups.base import SettingsGroup

__all__ = ["Flag", "FlagName", "FlagRule", "FlagSetting", "FlagValue"]

FlagValue: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any]

FlagName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=100)]
"""Small letters, so that a name means the same in the environment, in capitals there, and everywhere else."""


class FlagRule(SettingsGroup):
    """Gives some users another value: those for whom every condition in it holds."""

    value: FlagValue
    """What they get."""
    users: tuple[str, ...] = ()
    """Ids or names of users; empty: all."""
    percentage: float | None = Field(default=None, ge=0, le=100)
    """Share of users, always the same ones; a higher one adds to those of a lower one. Unset: all."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not self.users and self.percentage is None:
            raise ValueError("a rule needs users, a percentage, or both")
        return self


class Flag(SettingsGroup):
    """A feature flag: a value for everybody, and rules of which the first that fits gives another."""

    default: FlagValue
    """What everybody gets for whom no rule holds."""
    rules: tuple[FlagRule, ...] = ()
    """In the order in which they are tried."""

    @model_validator(mode="after")
    def _is_of_one_type(self) -> Self:
        for rule in self.rules:
            if _kind(rule.value) is not _kind(self.default):
                raise ValueError("the values of its rules must be of the type of its default")
        return self


def _kind(value: FlagValue) -> type:
    # A whole number may stand where a number is wanted, true and false may not.
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else object


def _definition(value: Any) -> Any:
    if isinstance(value, dict | Flag):
        return value
    return {"default": value}


FlagSetting = Annotated[Flag, BeforeValidator(_definition, json_schema_input_type=FlagValue | Flag)]
"""A flag as it is set: a definition, or a plain value for everybody."""
