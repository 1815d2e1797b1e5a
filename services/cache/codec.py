"""How values become bytes and come back equal and of the same type: MessagePack with extension types, never pickle.

What JSON has, and ``bytes``, are plain MessagePack. Everything else is an extension whose code says which type it is:
reading a value back makes no object of a type that is not in the table below or registered by name.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.msgpack import Decoder, Encoder, Ext

from bedplate.services.cache.errors import UncacheableError, UndecodableError
from bedplate.services.cache.models import MISS, Item
from bedplate.services.cache.registered import Dump, Load, Registered, register

__all__ = ["Codec"]

TUPLE, SET, FROZENSET, MAPPING, BYTEARRAY, BIG_INT, ODD_TEXT, REGISTERED = range(1, 9)
UUID_, DECIMAL, DATETIME, DATE, TIME, TIMEDELTA = range(16, 22)

MAX_DEPTH: Final = 128
"""Deepest nesting of a value."""

# What nobody can change may be handed to every caller as it is.
_IMMUTABLE: Final = frozenset({NoneType, bool, int, float, str, bytes, UUID, Decimal, datetime, date, time, timedelta})

_MICROSECOND: Final = timedelta(microseconds=1)

_pack = Encoder().encode


class Codec:
    """Encodes and decodes values; knows the registered types of one cache."""

    def __init__(self) -> None:
        self._by_type: dict[type, Registered] = {}
        self._by_name: dict[str, Registered] = {}
        self._encoders: dict[type, Callable[[Any, int], Any]] = {
            NoneType: _as_is,
            bool: _as_is,
            float: _as_is,
            bytes: _as_is,
            int: _encode_int,
            str: _encode_text,
            list: self._encode_list,
            dict: self._encode_dict,
            tuple: self._sequence_encoder(TUPLE),
            set: self._set_encoder(SET),
            frozenset: self._set_encoder(FROZENSET),
            bytearray: lambda value, _: Ext(BYTEARRAY, bytes(value)),
            UUID: lambda value, _: Ext(UUID_, value.bytes),
            Decimal: lambda value, _: Ext(DECIMAL, str(value).encode()),
            datetime: lambda value, _: Ext(DATETIME, _pack(_zoned(value))),
            date: lambda value, _: Ext(DATE, value.isoformat().encode()),
            time: lambda value, _: Ext(TIME, _pack(_zoned(value))),
            timedelta: lambda value, _: Ext(TIMEDELTA, _pack([value.days, value.seconds, value.microseconds])),
        }
        self._decoders: dict[int, Callable[[memoryview], Any]] = {
            TUPLE: lambda data: tuple(self._load(data)),
            SET: lambda data: set(self._load(data)),
            FROZENSET: lambda data: frozenset(self._load(data)),
            MAPPING: lambda data: dict(self._load_pairs(data)),
            BYTEARRAY: bytearray,
            BIG_INT: lambda data: int.from_bytes(data, "big", signed=True),
            ODD_TEXT: lambda data: bytes(data).decode("utf-8", "surrogatepass"),
            UUID_: lambda data: UUID(bytes=bytes(data)),
            DECIMAL: lambda data: Decimal(bytes(data).decode()),
            DATETIME: lambda data: _unzoned(datetime, *self._load(data)),
            DATE: lambda data: date.fromisoformat(bytes(data).decode()),
            TIME: lambda data: _unzoned(time, *self._load(data)),
            TIMEDELTA: lambda data: timedelta(*self._load(data)),
            REGISTERED: self._revive,
        }
        self._load: Callable[[bytes | memoryview], Any] = Decoder(ext_hook=self._decode_extension).decode
        self.decode: Callable[[bytes], Any] = self._load
        """Make a new value of encoded bytes, without any check; the hot path of reading."""

    def register(
        self, cls: type, *, name: str | None = None, dump: Dump | None = None, load: Load | None = None
    ) -> None:
        """Allow values of exactly this type; see :meth:`bedplate.services.cache.CacheService.register`."""
        entry = register(cls, name=name, dump=dump, load=load)
        earlier = self._by_name.get(entry.name)
        if earlier is not None and earlier.cls is not cls:
            raise UncacheableError(cls, why=f"the name {entry.name!r} belongs to another type")
        self._by_type[cls] = self._by_name[entry.name] = entry

    def encode(self, value: Any) -> Item:
        """Encode a value.

        Raises:
            UncacheableError: The value, or a part of it, would not come back equal and of the same type.
        """
        kind = type(value)
        if kind is bytes:
            return Item(value, True, value)
        try:
            data = _pack(self._encode(value, MAX_DEPTH))
        except RecursionError:
            raise UncacheableError(kind, why="it is nested too deeply, or contains itself") from None
        return Item(data, False, value if kind in _IMMUTABLE else MISS)

    def value(self, item: Item) -> Any:
        """The value of an item, the caller's own.

        Raises:
            UndecodableError: It cannot be read back.
        """
        if item.scalar is not MISS:
            return item.scalar
        if item.raw:
            return item.data
        try:
            return self.decode(item.data)
        except UndecodableError:
            raise
        except Exception as error:
            raise UndecodableError(f"{type(error).__name__}: {error}") from error

    def settled(self, item: Item) -> Item:
        """An item that was read, with its value where nobody can change that, so that it is decoded once."""
        value = item.data if item.raw else self.value(item)
        return Item(item.data, item.raw, value) if type(value) in _IMMUTABLE else item

    def _encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        encoder = self._encoders.get(kind)
        if encoder is not None:
            return encoder(value, depth)
        entry = self._by_type.get(kind)
        if entry is None:
            raise UncacheableError(kind)
        return self._encode_registered(entry, value, depth)

    def _encode_list(self, value: Any, depth: int) -> list[Any]:
        if not depth:
            raise UncacheableError(type(value), why=f"it is nested more than {MAX_DEPTH} levels deep")
        encoded: list[Any] = []
        for item in value:
            if _plain(item):
                encoded.append(item)
                continue
            try:
                encoded.append(self._encode(item, depth - 1))
            except UncacheableError as error:
                error.within(f"[{len(encoded)}]")
                raise
        return encoded

    def _encode_dict(self, value: dict[Any, Any], depth: int) -> Any:
        if not depth:
            raise UncacheableError(dict, why=f"it is nested more than {MAX_DEPTH} levels deep")
        encoded: dict[str, Any] = {}
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return self._encode_any_dict(value, depth)
            if _plain(item):
                encoded[key] = item
                continue
            try:
                encoded[key] = self._encode(item, depth - 1)
            except UncacheableError as error:
                error.within(f"[{key!r:.40}]")
                raise
        return encoded

    def _encode_any_dict(self, value: dict[Any, Any], depth: int) -> Any:
        """A dictionary with any keys."""
        keys: list[Any] = []
        values: list[Any] = []
        for key, item in value.items():
            try:
                keys.append(self._encode(key, depth - 1))
                values.append(self._encode(item, depth - 1))
            except UncacheableError as error:
                error.within(f"[{key!r:.40}]")
                raise
        if all(type(key) is str for key in keys):
            return dict(zip(keys, values, strict=True))
        return Ext(MAPPING, _pack([part for pair in zip(keys, values, strict=True) for part in pair]))

    def _sequence_encoder(self, code: int) -> Callable[[Any, int], Ext]:
        return lambda value, depth: Ext(code, _pack(self._encode_list(value, depth)))

    def _set_encoder(self, code: int) -> Callable[[Any, int], Ext]:
        def encode(value: Any, depth: int) -> Ext:
            try:
                return Ext(code, _pack(self._encode_list(value, depth)))
            except UncacheableError as error:
                error.path = "value{…}"  # a set has no order that an index could refer to
                raise

        return encode

    def _encode_registered(self, entry: Registered, value: Any, depth: int) -> Ext:
        if not depth:
            raise UncacheableError(entry.cls, why=f"it is nested more than {MAX_DEPTH} levels deep")
        try:
            plain = entry.dump(value)
        except Exception as error:
            raise UncacheableError(entry.cls, why=f"it cannot be taken apart: {type(error).__name__}") from error
        parts = self._encode(plain, depth - 1)
        if entry.verify:
            self._verify(entry, value, parts)
        return Ext(REGISTERED, _pack([entry.name, parts]))

    def _verify(self, entry: Registered, value: Any, parts: Any) -> None:
        try:
            back = entry.load(self._load(_pack(parts)))
        except Exception as error:
            raise UncacheableError(entry.cls, why=f"it cannot be made again: {type(error).__name__}") from error
        if type(back) is not entry.cls or back != value:
            raise UncacheableError(entry.cls, why="made again from its parts, it is another value")

    def _decode_extension(self, code: int, data: memoryview) -> Any:
        decoder = self._decoders.get(code)
        if decoder is None:
            raise UndecodableError(f"unknown extension {code}")
        return decoder(data)

    def _load_pairs(self, data: memoryview) -> Any:
        parts = iter(self._load(data))
        return zip(parts, parts, strict=True)

    def _revive(self, data: memoryview) -> Any:
        name, parts = self._load(data)
        entry = self._by_name.get(name)
        if entry is None:
            raise UndecodableError(f"the type {name!r} is not registered")
        return entry.load(parts)


def _plain(value: Any) -> bool:
    """Whether MessagePack has the value as it is: most parts of most values, and so worth a short cut."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return bool(-(2**63) <= value < 2**64)
    return kind is float or kind is bool or kind is NoneType


def _as_is(value: Any, _depth: int) -> Any:
    return value


def _encode_int(value: int, _depth: int) -> int | Ext:
    if -(2**63) <= value < 2**64:
        return value
    return Ext(BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _encode_text(value: str, _depth: int) -> str | Ext:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # a lone surrogate, as in file names that are no valid UTF-8
            return Ext(ODD_TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def _zoned(value: datetime | time) -> list[Any]:
    """Its ISO form without a zone, the zone (a name, microseconds from UTC, or None), and its fold (PEP 495)."""
    zone = value.tzinfo
    kept: str | int | None
    if zone is None:
        kept = None
    elif type(zone) is timezone:
        # Not as part of the text: fromisoformat reads an offset of less than a second as none.
        kept = zone.utcoffset(None) // _MICROSECOND
    elif type(zone) is ZoneInfo and zone.key is not None:
        kept = zone.key
    else:
        error = UncacheableError(type(zone), why="only datetime.timezone and named zoneinfo.ZoneInfo can be kept")
        error.within(".tzinfo")
        raise error
    return [value.replace(tzinfo=None).isoformat(), kept, value.fold]


def _unzoned(kind: type[datetime] | type[time], text: str, kept: str | int | None, fold: int) -> datetime | time:
    zone: tzinfo | None = None
    if isinstance(kept, str):
        zone = ZoneInfo(kept)
    elif kept is not None:
        zone = timezone(kept * _MICROSECOND) if kept else UTC
    return kind.fromisoformat(text).replace(tzinfo=zone, fold=fold)
