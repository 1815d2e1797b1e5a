"""The provider of feature flags that answers from the settings."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from bedplate.services.settings.groups.flags import Flag, FlagRule

__all__ = ["SettingsProvider", "share_of"]

T = TypeVar("T")

_NOBODY = EvaluationContext()


class SettingsProvider(AbstractProvider):
    """Answers from the flags of the settings: the first rule that fits the user, else the default of the flag.

    Args:
        flags: The flags by name.
    """

    def __init__(self, flags: Mapping[str, Flag]) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        """Who answers."""
        return Metadata(name="bedplate-settings")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """True or false."""
        return self._resolve(flag_key, evaluation_context, bool)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A text."""
        return self._resolve(flag_key, evaluation_context, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A whole number; true is none."""
        return self._resolve(flag_key, evaluation_context, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A number, which may have been written as a whole one."""
        details = self._resolve(flag_key, evaluation_context, int, float)
        return FlagResolutionDetails(value=float(details.value), reason=details.reason, variant=details.variant)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """A table or a list."""
        return self._resolve(flag_key, evaluation_context, dict, list)

    def _resolve(self, name: str, context: EvaluationContext | None, *types: type) -> FlagResolutionDetails[Any]:
        flag = self._flags.get(name)
        if flag is None:
            raise FlagNotFoundError(f"there is no flag {name!r} in the settings")
        details = _evaluate(name, flag, context or _NOBODY)
        # Not by isinstance: true is an int in Python, and no number here.
        if type(details.value) not in types:
            raise TypeMismatchError(f"the flag {name!r} is of type {type(details.value).__name__}")
        return details


def share_of(flag: str, targeting_key: str) -> float:
    """Where a user stands among all, for one flag: from 0 up to 100, the same for ever, and evenly spread."""
    digest = hashlib.blake2b(f"{flag}\0{targeting_key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * 100


def _evaluate(name: str, flag: Flag, context: EvaluationContext) -> FlagResolutionDetails[Any]:
    for number, rule in enumerate(flag.rules, 1):
        if _holds(name, rule, context):
            reason = Reason.TARGETING_MATCH if rule.percentage is None else Reason.SPLIT
            return FlagResolutionDetails(value=rule.value, reason=reason, variant=f"rule {number}")
    reason = Reason.DEFAULT if flag.rules else Reason.STATIC
    return FlagResolutionDetails(value=flag.default, reason=reason, variant="default")


def _holds(name: str, rule: FlagRule, context: EvaluationContext) -> bool:
    key = context.targeting_key
    if rule.users and key not in rule.users and context.attributes.get("username") not in rule.users:
        return False
    if rule.percentage is None:
        return True
    # Nobody in particular is in no share, but in that of all.
    return rule.percentage == 100 if key is None else share_of(name, key) < rule.percentage
