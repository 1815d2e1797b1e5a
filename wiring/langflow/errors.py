"""What can be wrong with what is to be carried over."""

from bedplate.services.errors import InvalidInputError

__all__ = ["LangflowSourceError", "UnusableError"]


class LangflowSourceError(InvalidInputError):
    """The source is no database of Langflow, cannot be read, or its key is missing."""

    code = "langflow_source"


class UnusableError(InvalidInputError):
    """One row, or one value in it, cannot be carried over; its text says why, without any value."""

    code = "langflow_row"
