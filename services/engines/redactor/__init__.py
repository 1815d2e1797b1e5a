"""Masks secrets in everything that is logged, traced, stored as an event or shown in an error."""

from bedplate.services.engines.redactor.documents import without_secrets
from bedplate.services.engines.redactor.service import Redactor
from bedplate.services.engines.redactor.spans import MASK
from bedplate.services.engines.redactor.walk import Limits, Measured

__all__ = ["MASK", "Limits", "Measured", "Redactor", "without_secrets"]
