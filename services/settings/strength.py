"""Whether a secret key is worth the name."""

__all__ = ["MIN_SECRET_KEY_CHARACTERS", "weakness_of"]

MIN_SECRET_KEY_CHARACTERS = 32
_MIN_DISTINCT = 8
_PLACEHOLDERS = ("changeme", "replaceme", "yoursecret", "mysecretkey", "insecure", "placeholder")


def weakness_of(secret: str) -> str | None:
    """Why the text is too weak to be a secret key, without quoting it; None if nothing speaks against it.

    Length, variety, repetition and well-known placeholders are looked at: enough to catch a key that somebody made up
    in passing, not a proof that the key is random.
    """
    if len(secret) < MIN_SECRET_KEY_CHARACTERS:
        return f"has {len(secret)} characters, and at least {MIN_SECRET_KEY_CHARACTERS} are needed"
    if len(set(secret)) < _MIN_DISTINCT:
        return f"is made of {len(set(secret))} different characters only"
    if (secret + secret).find(secret, 1) < len(secret) or _repeats(secret):
        return "repeats itself"
    plain = "".join(filter(str.isalnum, secret.lower()))
    if any(word in plain for word in _PLACEHOLDERS):
        return "is a placeholder"
    return None


def _repeats(secret: str) -> bool:
    """Whether the second half says nothing that the first has not."""
    half = (len(secret) + 1) // 2
    return any(secret[period:] == secret[:-period] for period in range(1, half + 1))
