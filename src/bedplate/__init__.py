"""Bedplate: the service layer under an LLM-flow or agent backend.

Import what an application needs from :mod:`bedplate.containers` (the container) and
:mod:`bedplate.wiring` (``inject``, the ``Annotated`` aliases, the lifespan). This module imports
neither, so that ``bedplate --version`` costs nothing.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
