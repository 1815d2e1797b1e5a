"""A storage backend that keeps files in memory; the class is imported when a setting chooses it."""

from bedplate.services.backends import Backend

__all__ = ["DICT"]

DICT = Backend(name="dict", target="dict_storage.backend:DictStorage")
