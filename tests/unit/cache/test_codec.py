"""CACHE-4: what goes in comes back equal and of the same type, or does not go in."""

import contextlib
import dataclasses
import enum
import pickle
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from bedplate.services.cache.codec import MAX_DEPTH, Codec
from bedplate.services.cache.errors import UncacheableError, UndecodableError
from bedplate.services.cache.models import Item
from bedplate.wiring.testing.cache.values import same


class Point(msgspec.Struct, frozen=True):
    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    left: Any
    right: Any = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass
class Computed:
    base: Any
    twice: Any = dataclasses.field(init=False, default=None)

    def __post_init__(self) -> None:
        self.twice = [self.base, self.base]


class Colour(enum.Enum):
    RED = "red"
    GREEN = object()


class Level(enum.IntEnum):
    LOW = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Named(NamedTuple):
    first: Any
    second: Any = 2


class Model(BaseModel):
    name: str
    tags: set[str] = set()


REGISTERED = (Point, Pair, Computed, Colour, Level, Rights, Named)


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def codec_of(*types: type) -> Codec:
    codec = Codec()
    for cls in types:
        codec.register(cls)
    return codec


def through_bytes(codec: Codec, value: Any) -> Any:
    """The value as a backend gives it back that keeps nothing but bytes."""
    item = codec.encode(value)
    return codec.value(Item(item.data, item.raw))


zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.integers(-86_399_999_999, 86_399_999_999).map(lambda us: timezone(timedelta(microseconds=us))),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]).map(ZoneInfo),
)
folds = st.sampled_from([0, 1])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.timedeltas(),
    st.builds(lambda t, z, f: t.replace(tzinfo=z, fold=f), st.datetimes(), zones, folds),
    st.builds(lambda t, z, f: t.replace(tzinfo=z, fold=f), st.times(), zones, folds),
    st.sampled_from([*Colour, *Level, Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]),
)
hashables = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Point, inner, inner),
        st.builds(Named, inner, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=6,
)
values = st.recursive(
    st.one_of(hashables, st.binary().map(bytearray), st.sets(hashables, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(st.characters(exclude_categories=())), inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=4),
        st.builds(Computed, inner),
        st.builds(Pair, inner, inner),
        st.builds(Point, inner),
    ),
    max_leaves=12,
)


@unhurried
@given(values)
def test_every_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    """CACHE-4: the property, over nested values of every supported and registered type."""
    codec = codec_of(*REGISTERED)
    back = through_bytes(codec, value)
    assert same(back, value)
    if isinstance(value, datetime | time):  # whose equality looks at the moment alone
        assert repr(back) == repr(value)
    assert same(codec.value(codec.encode(value)), value)


class _Unknown:
    pass


class _Text(str):
    __slots__ = ()


class _Number(int):
    pass


class _Mapping(dict[str, Any]):
    pass


class _Zone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=1)


UNKNOWN = st.sampled_from(
    [
        _Unknown(),
        _Text("a"),
        _Number(1),
        _Mapping(),
        OrderedDict(a=1),
        Path("a"),
        SecretStr("a"),
        Model(name="a"),
        1j,
        range(3),
        memoryview(b"a"),
        object,
        len,
        lambda: None,
        iter([]),
        datetime(2026, 1, 1, tzinfo=_Zone()),
        Ellipsis,
        ValueError("x"),
        msgspec.UNSET,
    ]
)


@unhurried
@given(
    st.recursive(
        UNKNOWN,
        lambda inner: st.one_of(
            st.tuples(st.integers(), inner),
            st.lists(inner, min_size=1, max_size=2),
            st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=2),
            st.builds(Pair, inner),
        ),
        max_leaves=3,
    )
)
def test_everything_else_is_refused_by_an_error_that_names_its_type(value: Any) -> None:
    """CACHE-4: also subclasses of supported types, which would come back as their base."""
    with pytest.raises(UncacheableError, match=r"cannot be cached.*It stands at value") as caught:
        codec_of(Pair).encode(value)
    assert "." in caught.value.kind


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_read_back_as_a_value_or_a_typed_error(data: bytes) -> None:
    """CACHE-4: a damaged or hostile entry makes nothing but plain data; never pickle."""
    with contextlib.suppress(UndecodableError):
        codec_of(Point).value(Item(data))


def test_pickles_are_just_bytes() -> None:
    """CACHE-4: bytes pass untouched, whatever they look like."""
    evil = pickle.dumps(_Unknown())
    codec = Codec()
    item = codec.encode(evil)
    assert item.data is evil
    assert codec.value(item) is evil
    assert codec.value(Item(evil, raw=True)) is evil


def test_the_error_says_where_the_value_stands() -> None:
    with pytest.raises(UncacheableError) as caught:
        codec_of(Pair).encode({"tools": [1, Pair({5: (_Unknown(),)})]})
    assert caught.value.path == "value['tools'][1]['left'][5][0]"
    assert caught.value.kind.endswith("._Unknown")
    assert "register" in str(caught.value)


def test_cycles_and_deep_values_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(UncacheableError, match="deep"):
        Codec().encode(cycle)
    deep: Any = ()
    for _ in range(MAX_DEPTH - 1):
        deep = (deep,)
    assert same(through_bytes(Codec(), deep), deep)
    with pytest.raises(UncacheableError, match="deep"):
        Codec().encode([[deep]])


def test_nan_comes_back_as_nan() -> None:
    back = through_bytes(Codec(), [float("nan"), Decimal("NaN"), Decimal("-0")])
    assert (str(back[0]), str(back[1]), str(back[2])) == ("nan", "NaN", "-0")


def test_the_two_hours_of_one_night_are_told_apart() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=berlin) for fold in (0, 1))
    back = [through_bytes(Codec(), moment) for moment in (first, second)]
    assert [moment.utcoffset() for moment in back] == [timedelta(hours=2), timedelta(hours=1)]
    assert all(moment.tzinfo is berlin for moment in back)


class TestRegistered:
    """Types of an application's own."""

    def test_an_unregistered_type_is_refused(self) -> None:
        with pytest.raises(UncacheableError, match=r"Point.*register"):
            Codec().encode(Point(1))

    def test_a_subclass_is_a_type_of_its_own(self) -> None:
        class Point3(Point, frozen=True):
            z: int = 0

        codec = codec_of(Point)
        with pytest.raises(UncacheableError, match="Point3"):
            codec.encode(Point3(1))

    def test_any_type_with_dump_and_load(self) -> None:
        codec = Codec()
        codec.register(Model, dump=lambda model: model.model_dump(), load=Model.model_validate)
        model = Model(name="a", tags={"x"})
        assert through_bytes(codec, {"m": model})["m"] == model

    def test_what_is_made_again_differently_is_refused(self) -> None:
        """CACHE-4: a type whose parts do not make the same value again is refused at set, not noticed at get."""

        class Growing(msgspec.Struct):
            n: int

            def __post_init__(self) -> None:
                self.n += 1

        codec = codec_of(Growing)
        with pytest.raises(UncacheableError, match="another value"):
            codec.encode(Growing(1))
        codec.register(Model, dump=lambda model: model.name, load=lambda name: Model(name=name))
        with pytest.raises(UncacheableError, match="another value"):
            codec.encode(Model(name="a", tags={"lost"}))
        codec.register(Model, dump=lambda model: model.name, load=lambda name: 1 / 0)
        with pytest.raises(UncacheableError, match="ZeroDivisionError"):
            codec.encode(Model(name="a"))

    def test_a_dump_that_fails_is_a_refusal(self) -> None:
        codec = Codec()
        codec.register(Model, dump=lambda model: model.missing, load=Model.model_validate)
        with pytest.raises(UncacheableError, match="AttributeError"):
            codec.encode(Model(name="a"))

    @pytest.mark.parametrize("cls", [_Unknown, Path, dict, type("NoEq", (msgspec.Struct,), {}, eq=False)])
    def test_what_cannot_be_compared_or_taken_apart_is_refused(self, cls: type) -> None:
        with pytest.raises(UncacheableError):
            Codec().register(cls)

    def test_dump_without_load_is_refused(self) -> None:
        with pytest.raises(UncacheableError, match="together"):
            Codec().register(Model, dump=lambda model: 1)

    def test_a_name_belongs_to_one_type(self) -> None:
        codec = Codec()
        codec.register(Point, name="point")
        codec.register(Point, name="point")
        with pytest.raises(UncacheableError, match="'point'"):
            codec.register(Pair, name="point")

    @pytest.mark.parametrize(
        "changed",
        [
            dataclasses.make_dataclass("Pair", ["left"]),
            dataclasses.make_dataclass("Pair", ["left", "right", "more"]),
            msgspec.defstruct("Pair", ["left"]),
        ],
    )
    def test_a_value_of_a_type_that_has_changed_is_undecodable(self, changed: type) -> None:
        """CACHE-4: after an upgrade an old entry is a typed error inside, and so a miss outside."""
        before, after = Codec(), Codec()
        before.register(Pair, name="pair")
        after.register(changed, name="pair")
        item = before.encode(Pair(1, 2))
        with pytest.raises(UndecodableError):
            after.value(item)
        with pytest.raises(UndecodableError, match="'pair' is not registered"):
            Codec().value(item)


def test_immutable_scalars_are_kept_as_they_are() -> None:
    """CACHE-4: a backend in memory may hand them out without decoding."""
    codec = Codec()
    for value in (None, True, 5, 2**70, 1.5, "text", b"b", UUID(int=1), Decimal(1), date.max, time.max, timedelta.max):
        assert codec.encode(value).scalar is value
    for value in ([], {}, set(), ([],), bytearray(), {1}):
        assert codec.value(codec.encode(value)) is not value
