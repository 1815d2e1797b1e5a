"""Carries what is in a database of Langflow 1.6 over: users, projects, flows, messages, variables, files, API keys."""

from bedplate.wiring.langflow.errors import LangflowSourceError
from bedplate.wiring.langflow.importer import LangflowImport
from bedplate.wiring.langflow.report import Entry, ImportReport, Outcome
from bedplate.wiring.langflow.source import LangflowSource

__all__ = ["Entry", "ImportReport", "LangflowImport", "LangflowSource", "LangflowSourceError", "Outcome"]
