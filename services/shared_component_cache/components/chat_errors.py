"""How a call of a language model can fail. No text holds the key, the address, or what the endpoint wrote.

::

    UnavailableError
    ├── ChatUnreachableError      no connection
    ├── ChatTimeoutError          connected, but silent for too long
    ├── ChatInterruptedError      the answer broke off
    └── ChatServerError           the endpoint failed (5xx)
    RateLimitedError
    └── ChatRateLimitedError      429
    InvalidInputError
    ├── ChatUnauthorizedError     401, 403
    ├── ChatRejectedError         any other refusal
    └── EmptyPromptError          there is nothing to send
    BedplateError
    └── ChatProtocolError         the answer is not what the API says
"""

from bedplate.services.errors import BedplateError, InvalidInputError, RateLimitedError, UnavailableError

__all__ = [
    "ChatInterruptedError",
    "ChatProtocolError",
    "ChatRateLimitedError",
    "ChatRejectedError",
    "ChatServerError",
    "ChatTimeoutError",
    "ChatUnauthorizedError",
    "ChatUnreachableError",
    "EmptyPromptError",
]

_SERVICE = "shared_component_cache"


class ChatUnreachableError(UnavailableError):
    """There is no connection to the endpoint."""

    code = "llm_unreachable"

    def __init__(self) -> None:
        super().__init__(
            "the language model endpoint cannot be reached",
            service=_SERVICE,
            fix="check that it runs and that BEDPLATE_SESSION__LLM_BASE_URL is its address",
        )


class ChatTimeoutError(UnavailableError):
    """The endpoint took too long to connect, or was silent for too long."""

    code = "llm_timeout"

    def __init__(self, what: str, seconds: float, setting: str) -> None:
        super().__init__(
            f"the language model endpoint {what} for {seconds:g} s",
            service=_SERVICE,
            fix=f"try again, or raise {setting}",
        )


class ChatInterruptedError(UnavailableError):
    """The answer ended before it was complete."""

    code = "llm_interrupted"

    def __init__(self) -> None:
        super().__init__(
            "the answer of the language model ended before it was complete", service=_SERVICE, fix="run the flow again"
        )


class ChatServerError(UnavailableError):
    """The endpoint failed."""

    code = "llm_server_error"

    def __init__(self, status: int | None = None) -> None:
        super().__init__(
            "the language model endpoint failed" + (f" with status {status}" if status else ""),
            service=_SERVICE,
            fix="try again later, or look at the endpoint's own log",
        )


class ChatRateLimitedError(RateLimitedError):
    """The endpoint is called too often."""

    code = "llm_rate_limited"

    def __init__(self, retry_after: float | None) -> None:
        super().__init__(
            "the language model endpoint is called too often, or the account has no quota left",
            retry_after=retry_after,
            service=_SERVICE,
            fix="try again later, or raise the quota of the key's account",
        )


class ChatUnauthorizedError(InvalidInputError):
    """The key is not accepted."""

    code = "llm_unauthorized"

    def __init__(self, what: str) -> None:
        super().__init__(what, service=_SERVICE, fix="correct the variable that the field api_key of the node names")


class ChatRejectedError(InvalidInputError):
    """The endpoint refuses the request."""

    code = "llm_rejected"

    def __init__(self, model: str, status: int) -> None:
        super().__init__(
            f"the language model endpoint refuses the request for the model {model!r:.80} (status {status})",
            service=_SERVICE,
            fix="check the model's name and the values of the node",
        )


class EmptyPromptError(InvalidInputError):
    """There is nothing to send."""

    code = "llm_empty_prompt"

    def __init__(self) -> None:
        super().__init__(
            "the message to the language model is empty",
            service=_SERVICE,
            fix="give the node an input or a system message",
        )


class ChatProtocolError(BedplateError):
    """The answer is not what the API says, or is too large."""

    code = "llm_malformed"

    def __init__(self, what: str, *, fix: str = "check that the endpoint is OpenAI-compatible") -> None:
        super().__init__(f"the answer of the language model endpoint {what}", service=_SERVICE, fix=fix)
