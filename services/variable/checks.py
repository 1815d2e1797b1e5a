"""What the doctor looks at on behalf of the variable service."""

from collections.abc import Iterator
from typing import Any

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check

__all__ = ["CHECKS"]


@check("variable.operator-variable-unset", Severity.WARNING, "Variables that flows may use of the operator's are set")
def _operator_variable_unset(_variable: Any, around: Surroundings) -> Iterator[Trouble]:
    for name in around.values.variable.operator_variables:
        if not around.environment.get(name):
            yield Trouble(
                f"flows may use {name}, which is not set",
                fix=f"set {name}, or take it out of BEDPLATE_VARIABLE__OPERATOR_VARIABLES",
            )


CHECKS: tuple[Check, ...] = (_operator_variable_unset,)
