"""The values that components share with each other, as they see them."""

from typing import Any, Literal, Protocol, Self

__all__ = ["SharedState", "StateChange", "StateChanges", "StateScope"]

StateScope = Literal["run", "session", "user"]


class StateChange(Protocol):
    """One change of a key of the state."""

    @property
    def kind(self) -> str:
        """``"set"``, ``"append"``, ``"delete"``, ``"expire"``, or ``"current"``: no change, but what is there.

        A reader that lags too far behind gets a ``"current"`` one in place of what it missed.
        """
        ...

    @property
    def value(self) -> Any:
        """The value that was set, or the item that was appended; None where nothing is there any more."""
        ...

    @property
    def missed(self) -> int:
        """How many changes before this one were lost because the reader lagged."""
        ...


class StateChanges(Protocol):
    """The changes of a key, in order: ``async with await state.subscribe(key) as changes: async for …``."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: Any) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> StateChange: ...


class SharedState(Protocol):
    """Values that the components of a run share, and the runs of its session (``scope="session"``) or its user.

    Values are data: texts, numbers, lists, dictionaries, bytes, times. What a component gets is its own copy. The
    values of a run are gone when it ends. Each method raises an ``InvalidInputError`` for a key or value that cannot
    be kept, and a ``RateLimitedError`` where there is too much already.
    """

    async def get(self, key: str, default: Any = None, *, scope: StateScope = "run") -> Any:
        """The value of a key; ``default`` if there is none."""
        ...

    async def set(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Give a key a value."""
        ...

    async def append(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Add an item to the list of a key; a value that is no list becomes the first item of one."""
        ...

    async def delete(self, key: str, *, scope: StateScope = "run") -> bool:
        """Forget a value; whether there was one."""
        ...

    async def subscribe(self, key: str, *, scope: StateScope = "run", current: bool = False) -> StateChanges:
        """Listen to the changes of a key from now on, until the run ends.

        Args:
            key: The key; there need be no value yet.
            scope: Whose.
            current: Give the value that is there now as the first change.
        """
        ...
