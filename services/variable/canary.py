"""The check at start that the secret key is the one that the stored variables are encrypted with."""

from bedplate.services.engines.cipher import Cipher, SealError
from bedplate.services.variable.backend import VariableBackend
from bedplate.services.variable.errors import WrongKeyError

__all__ = ["check_key"]

_TEXT = b"bedplate"
_CONTEXT = b"canary\0"


async def check_key(backend: VariableBackend, cipher: Cipher, origin: str) -> None:
    """Prove that the cipher has the key of the stored variables; where nothing is stored yet, make it their key.

    Args:
        backend: Where they are stored.
        cipher: The cipher with the key.
        origin: Where the key comes from, for the error.

    Raises:
        WrongKeyError: It has another key, or the stored proof is damaged.
    """
    canaries = await backend.canaries()
    if cipher.key_id not in canaries:
        others = canaries.keys() | await backend.key_ids()
        if others - {cipher.key_id}:
            raise WrongKeyError(
                "the secret key is not the one that stored variables are encrypted with",
                why=f"they need the key {', '.join(sorted(others))}; the key {cipher.key_id} was given, by {origin}",
            )
        await backend.add_canary(cipher.key_id, cipher.seal(_TEXT, _CONTEXT))
        canaries = await backend.canaries()
    try:
        cipher.open(canaries[cipher.key_id], _CONTEXT)
    except SealError as error:
        raise WrongKeyError(f"the stored proof of the key {cipher.key_id} is damaged", why=str(error)) from None
