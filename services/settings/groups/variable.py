"""Settings of the variable service."""

from pydantic import Field, field_validator

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["VariableSettings"]


class VariableSettings(ServiceSettings):
    """Variables and credentials of users (``BEDPLATE_VARIABLE__*``)."""

    backend: str = "database"
    """Where variables are kept: ``database``."""
    operator_variables: tuple[str, ...] = ()
    """Names of environment variables that flows may use by reference; no user ever reads them.

    Bedplate's own (``BEDPLATE_*``) are refused.
    """
    max_value_bytes: int = Field(default=64 * 1024, ge=1)
    """Largest value of a variable."""
    max_per_user: int = Field(default=1000, ge=1)
    """Most variables of a user."""
    max_versions: int = Field(default=10, ge=0)
    """Earlier values of a variable that are kept; 0 keeps none."""
    version_retention: Seconds = 365 * 24 * 3600.0
    """Seconds after which an earlier value is deleted; 0 keeps it as long as there is room for it."""
    reveal: bool = True
    """Whether users may have the values of their own credentials shown, which is audited."""
    rotation_batch: int = Field(default=200, ge=1)
    """Values that a rotation of keys encrypts anew in one transaction."""
    mask_retired: Seconds = 3600.0
    """Seconds for which a changed or deleted credential is still masked: a run that read it may be going on."""

    @field_validator("operator_variables")
    @classmethod
    def _not_our_own(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.upper().startswith("BEDPLATE_"):
                raise ValueError("names of environment variables other than BEDPLATE_* are allowed")
        return names
