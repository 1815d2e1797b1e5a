"""Settings of the variable service."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from bedplate.services.settings.groups.base import Location, Seconds, ServiceSettings

__all__ = ["VariableSettings"]

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LabelKey = Annotated[str, Field(max_length=317, pattern=rf"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_NAME}$")]
LabelValue = Annotated[str, Field(max_length=63, pattern=rf"^({_NAME})?$")]


class VariableSettings(ServiceSettings):
    """Variables and credentials of users (``BEDPLATE_VARIABLE__*``)."""

    backend: str = "database"
    """Where variables are kept: ``database``; ``kubernetes``, one Secret a user."""
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

    kubernetes_namespace: str = Field(default="", max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    """The namespace of the Secrets of the backend ``kubernetes``; empty: that of the pod, or of the kubeconfig."""
    kubernetes_prefix: str = Field(default="bedplate", max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    """What the names of the Secrets begin with; installations in one namespace need one each."""
    kubernetes_labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=20)
    """Further labels of the Secrets, as JSON: ``{"team": "flows"}``."""
    kubernetes_kubeconfig: Location | None = None
    """A kubeconfig; unset: the account of the pod, and outside a cluster what kubectl uses."""
    kubernetes_context: str = ""
    """The context of the kubeconfig; empty: the one that it names."""
    kubernetes_account_dir: Location = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    """Where the account of the pod is mounted: ``token``, ``ca.crt`` and ``namespace``."""
    kubernetes_timeout: float = Field(default=10.0, gt=0)
    """Seconds that a call to the API server may take."""
    kubernetes_retries: int = Field(default=2, ge=0, le=20)
    """How often a call that got no answer is tried again, after a growing while."""
    kubernetes_connections: int = Field(default=16, ge=1, le=1_000)
    """Connections to the API server; calls beyond that wait for one."""

    @field_validator("operator_variables")
    @classmethod
    def _not_our_own(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.upper().startswith("BEDPLATE_"):
                raise ValueError("names of environment variables other than BEDPLATE_* are allowed")
        return names
