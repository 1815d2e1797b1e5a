"""CACHE-1, CACHE-3 and CACHE-5: any sequence of operations does what the same sequence does to a simple model."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.cache import MISS, CacheService
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities

__all__ = ["Machine"]

Step = tuple[object, ...]

_KEYS = st.sampled_from(("a", "b", "c"))
_TAGS = st.sets(st.sampled_from(("t", "u")), max_size=2).map(lambda tags: tuple(sorted(tags)))
_SECONDS = st.sampled_from((5.0, 10.0, 20.0))
_VALUES = st.one_of(st.integers(-3, 3), st.lists(st.integers(0, 3), max_size=2), st.none())
_STEPS = st.one_of(
    st.tuples(st.just("set"), _KEYS, _VALUES, _SECONDS, _TAGS),
    st.tuples(st.just("load"), _KEYS, _VALUES, _SECONDS, _TAGS, st.sampled_from((0.0, 7.0, 15.0))),
    st.tuples(st.just("fail"), _KEYS, st.sampled_from((0.0, 7.0, 15.0))),
    st.tuples(st.just("upsert"), _KEYS, _VALUES, _SECONDS, _TAGS),
    st.tuples(st.just("increment"), st.just("n"), _SECONDS),
    st.tuples(st.just("touch"), _KEYS, _SECONDS),
    st.tuples(st.just("delete"), _KEYS),
    st.tuples(st.just("invalidate"), _TAGS.filter(bool)),
    st.tuples(st.just("pass"), st.sampled_from((1.0, 4.0, 6.0, 11.0))),
    st.tuples(st.sampled_from(("purge", "clear"))),
)


class _Kept:
    """A value of the model."""

    def __init__(self, value: object, due: float, grace: float, tags: set[str]) -> None:
        self.value, self.due, self.grace, self.tags = value, due, grace, tags


class _Model:
    """What a cache should be: a dictionary with times and tags, and nothing clever."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept: dict[str, _Kept] = {}

    def live(self, key: str) -> _Kept | None:
        kept = self.kept.get(key)
        return kept if kept is not None and self.now < kept.due else None

    def apply(self, step: Step) -> object:
        """Do the step; what the call answers."""
        match step:
            case "set", str(key), value, float(seconds), tuple(tags):
                self.kept[key] = _Kept(value, self.now + seconds, 0.0, set(tags))
                return None
            case "load", str(key), value, float(seconds), tuple(tags), float(grace):
                if (kept := self.live(key)) is not None:
                    return kept.value
                self.kept[key] = _Kept(value, self.now + seconds, grace, set(tags))
                return value
            case "fail", str(key), float(bound):
                return self._fail(key, bound)
            case "upsert", str(key), value, float(seconds), tuple(tags):
                old = self.live(key)
                self.kept[key] = _Kept(value, self.now + seconds, 0.0, set(tags) | (old.tags if old else set()))
                return value
            case "increment", str(key), float(seconds):
                old = self.live(key) or _Kept(0, self.now + seconds, 0.0, set())
                old.value = int(str(old.value)) + 1
                self.kept[key] = old
                return old.value
            case _:
                return self._remove(step)

    def _fail(self, key: str, bound: float) -> object:
        """A load that fails: the value, or a stale one within its own bound and the caller's."""
        if (kept := self.live(key)) is not None:
            return kept.value
        kept = self.kept.get(key)
        if kept is None:
            return "failed"
        late = self.now - kept.due
        return kept.value if late < kept.grace and late <= bound else "failed"

    def _remove(self, step: Step) -> object:
        match step:
            case "touch", str(key), float(seconds):
                if (old := self.live(key)) is None:
                    return False
                old.due = self.now + seconds
                return True
            case "delete", str(key):
                was_there = self.live(key) is not None
                self.kept.pop(key, None)
                return was_there
            case "invalidate", tuple(tags):
                self.kept = {key: kept for key, kept in self.kept.items() if kept.tags.isdisjoint(tags)}
                return None
            case "pass", float(seconds):
                self.now += seconds
                return None
            case ("clear",):
                number = sum(self.live(key) is not None for key in self.kept)
                self.kept.clear()
                return number
            case _:
                return None


async def _really(cache: CacheService, harness: CacheHarness, step: Step) -> object:
    """Do the step to a cache."""
    match step:
        case "set", str(key), value, float(seconds), tuple(tags):
            await cache.set(key, value, seconds, tags=tags)
            return None
        case "load", str(key), value, float(seconds), tuple(tags), float(grace):

            async def load() -> object:
                return value

            return await cache.get_or_set(key, load, seconds, tags=tags, stale_if_error=grace)
        case "fail", str(key), float(bound):

            async def fail() -> object:
                raise ConnectionError

            try:
                return await cache.get_or_set(key, fail, stale_if_error=bound)
            except ConnectionError:
                return "failed"
        case "upsert", str(key), value, float(seconds), tuple(tags):
            return await cache.upsert(key, lambda _: value, seconds, tags=tags)
        case "increment", str(key), float(seconds):
            return await cache.increment(key, 1, seconds)
        case "touch", str(key), float(seconds):
            return await cache.touch(key, seconds)
        case _:
            return await _really_remove(cache, harness, step)


async def _really_remove(cache: CacheService, harness: CacheHarness, step: Step) -> object:
    match step:
        case "delete", str(key):
            return await cache.delete(key)
        case "invalidate", tuple(tags):
            await cache.invalidate(*tags)
            return None
        case "pass", float(seconds):
            await harness.advance(seconds)
            return None
        case ("clear",):
            return await cache.clear()
        case _:
            await cache.purge()
            return None


class Machine(Capabilities):
    """CACHE-1, CACHE-3 and CACHE-5."""

    # One test for every backend: which class runs it changes nothing about the steps.
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(steps=st.lists(_STEPS, max_size=20))
    async def test_a_cache_is_a_dictionary_with_times_and_tags(
        self, steps: Sequence[Step], patient: CacheService, harness: CacheHarness
    ) -> None:
        """CACHE-5: what every call answers, and what is there after every step."""
        await patient.clear()
        model = _Model()
        for step in steps:
            assert await _really(patient, harness, step) == model.apply(step), step
            for key in ("a", "b", "c", "n"):
                kept = model.live(key)
                assert await patient.get(key) == (MISS if kept is None else kept.value), (step, key)
