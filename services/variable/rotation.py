"""Encrypting every value with a new key, in bounded steps, while everything goes on."""

from collections.abc import Callable

from bedplate.services.logs import get_logger
from bedplate.services.variable.backend import StaleValue, VariableBackend
from bedplate.services.variable.models import Rotation
from bedplate.services.variable.sealing import Sealing

__all__ = ["rotate"]

_GRACE = 3600.0
"""Seconds for which a key stays that nothing needs any more: a replica may be about to store a value with it."""

_log = get_logger("bedplate.variable")


async def rotate(
    backend: VariableBackend, sealing: Sealing, *, batch: int, progress: Callable[[Rotation], None]
) -> Rotation:
    """Encrypt all values with the key of now; with a new one, if all of them are encrypted with that already.

    So a rotation that was broken off is finished by the next one. Values that users change meanwhile are left alone,
    since they are encrypted with the new key by that; those that cannot be opened are counted and left as they are.

    Args:
        backend: Where the values are.
        sealing: Opens and seals values.
        batch: Values of one transaction.
        progress: Told after each.
    """
    keys = sealing.keys
    await keys.load()
    # What an earlier secret key seals would be lost with it.
    finished = keys.stale == 0 and keys.is_wrapped_anew
    if finished:
        await keys.make()
    await keys.rewrap()
    done, failed = 0, 0
    for history in (False, True):
        resealed, unreadable = await _reseal(backend, sealing, history, batch, progress)
        done, failed = done + resealed, failed + unreadable
    await keys.load()
    await keys.forget_unused(_GRACE)
    result = Rotation(key_id=keys.current_key.key_id, resealed=done, failed=failed, left=keys.stale)
    _log.info("variables encrypted anew", key_id=result.key_id, values=done, failed=failed, left=result.left)
    return result


async def _reseal(
    backend: VariableBackend,
    sealing: Sealing,
    history: bool,
    batch: int,
    progress: Callable[[Rotation], None],
) -> tuple[int, int]:
    """Go through the values once; return how many were encrypted anew, and how many cannot be opened."""
    keys, done, failed = sealing.keys, 0, 0
    after: StaleValue | None = None
    key_id = keys.current_key.key_id
    while found := await backend.stale(key_id, history=history, after=after, limit=batch):
        await sealing.know(found)
        fresh = [one for value in found if (one := sealing.resealed(value)) is not None]
        if fresh:
            await backend.reseal(key_id, fresh, history=history)
        done, failed = done + len(fresh), failed + len(found) - len(fresh)
        after = found[-1]
        progress(Rotation(key_id=key_id, resealed=done, failed=failed, left=max(0, keys.stale - done)))
    return done, failed
