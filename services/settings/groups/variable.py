"""Settings of the variable service."""

from pydantic import Field

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["VariableSettings"]


class VariableSettings(ServiceSettings):
    """Variables and credentials of users (``BEDPLATE_VARIABLE__*``)."""

    backend: str = "database"
    """Where variables are kept: ``database``."""
    operator_variables: tuple[str, ...] = ()
    """Names of environment variables that flows may use by reference; no user ever reads them."""
    max_value_bytes: int = Field(default=64 * 1024, ge=1)
    """Largest value of a variable."""
