"""STORE-1: search by text, tags, type, liked, private, own, id; sort, page, counts."""

import asyncio
import uuid

import pytest

from bedplate.services.store import Changes, Component, InvalidComponentError, Page, Query, Sort, StoreService
from bedplate.wiring.testing.store.harness import Capabilities, StoreHarness, named

__all__ = ["Searching"]


def _names(page: Page) -> list[str]:
    return [component.name for component in page.items]


class Searching(Capabilities):
    """STORE-1."""

    async def test_by_text(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: in name, description, tags and owner's name, whatever the case; wildcards are plain characters."""
        await store.publish(ann, named("Alpha one", tags=("Memory",)))
        await store.publish(ben, named("Beta two", description="with 100% of ALPHA"))
        await store.publish(ben, named("Gamma_three"))
        by_name = (Sort.NAME, False)
        for text, found in {
            "alpha": ["Alpha one", "Beta two"],
            "ONE": ["Alpha one"],
            "100%": ["Beta two"],
            "%": ["Beta two"],
            "a_t": ["Gamma_three"],
            "memo": ["Alpha one"],
            "BEN": ["Beta two", "Gamma_three"],
            "nothing": [],
            "": ["Alpha one", "Beta two", "Gamma_three"],
        }.items():
            page = await store.search(ann, Query(text=text, sort=(by_name,)))
            assert (_names(page), page.total) == (found, len(found)), text

    async def test_by_id_in_whatever_form(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: a search for an address once failed, since the whole of it was taken for an id."""
        made = await store.publish(ann, named("Found"))
        await store.publish(ann, named("Other"))
        for text in (
            str(made.id),
            str(made.id).upper(),
            f"https://store.example/store/{made.id}",
            f" {made.id}?tab=1 ",
        ):
            assert _names(await store.search(ben, Query(text=text))) == ["Found"], text
            assert _names(await store.search(ben, Query(component=text.strip()))) == ["Found"], text
        for text in (str(uuid.uuid4()), "no id", "ann/nothing", ""):
            assert _names(await store.search(ben, Query(component=text))) == [], text

    async def test_by_namespaced_id(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: of the owner's name and a slug that stays when the name changes."""
        self.require("namespaces")
        first = await store.publish(ann, named("My  Größter Agent!"))
        second = await store.publish(ann, named("my grosster agent"))
        third = await store.publish(ben, named("my grosster agent", private=True))
        unnamed = await store.publish(ben, named("日本"))
        assert [component.namespaced_id for component in (first, third, unnamed)] == [
            "ann/my-grosster-agent", "ben/my-grosster-agent", "ben/component",
        ]  # fmt: skip
        assert second.namespaced_id == "ann/my-grosster-agent-2"
        await store.update(ann, first.id, Changes(name="Another name"))
        assert (await store.get(ben, "ann/my-grosster-agent")).id == first.id
        assert (await store.get(ben, "ben/my-grosster-agent")).id == third.id
        assert _names(await store.search(ann, Query(component="ben/my-grosster-agent"))) == []

    async def test_equal_names_at_once(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: however many are published at the same moment, each has a slug of its own."""
        self.require("namespaces")
        made = await asyncio.gather(*(store.publish(ann, named("same")) for _ in range(8)))
        expected = {"ann/same", *(f"ann/same-{number}" for number in range(2, 9))}
        assert {component.namespaced_id for component in made} == expected

    async def test_by_tags(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: all of those that are named, by name in any case or by id; equal names are one tag."""
        tags = {tag.name: tag for tag in await store.tags(ann)}
        assert {"Memory", "Tools"} <= set(tags)
        both = await store.publish(ann, named("Both", tags=("Memory", str(tags["Tools"].id), "memory")))
        await store.publish(ben, named("One", tags=("MEMORY",)))
        assert {tag.id for tag in both.tags} == {tags["Memory"].id, tags["Tools"].id}
        for wanted, found in (
            (("memory",), {"Both", "One"}),
            (("Memory", "Tools"), {"Both"}),
            ((str(tags["Tools"].id),), {"Both"}),
            (("nothing",), set()),
        ):
            assert set(_names(await store.search(ben, Query(tags=wanted)))) == found, wanted
        with pytest.raises(InvalidComponentError):
            await store.publish(ann, named("x", tags=(str(uuid.uuid4()),)))

    async def test_new_tags(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: are offered to those who can see something that has them."""
        self.require("new_tags")
        await store.publish(ann, named("a", tags=("Weather",)))
        await store.publish(ann, named("b", tags=("Hidden",), private=True))
        assert {"Weather", "Hidden"} <= {tag.name for tag in await store.tags(ann)}
        for user in (ben, None):
            names = [tag.name for tag in await store.tags(user)]
            assert "Weather" in names
            assert "Hidden" not in names
            assert names == sorted(names, key=str.casefold)
        hidden = next(tag.id for tag in await store.tags(ann) if tag.name == "Hidden")
        with pytest.raises(InvalidComponentError):
            await store.publish(ben, named("x", tags=(str(hidden),)))

    async def test_by_kind_owner_and_privacy(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: what is private is found by its owner alone, and only on demand."""
        await store.publish(ann, named("flow"))
        await store.publish(ann, named("part", is_component=True))
        await store.publish(ann, named("secret", private=True))
        await store.publish(ben, named("other"))
        cases: list[tuple[Query, set[str], set[str]]] = [
            (Query(), {"flow", "part", "other"}, {"flow", "part", "other"}),
            (Query(is_component=True), {"part"}, {"part"}),
            (Query(is_component=False), {"flow", "other"}, {"flow", "other"}),
            (Query(own=True), {"flow", "part", "secret"}, {"other"}),
            (Query(own=True, private=True), {"secret"}, set()),
            (Query(own=True, private=False), {"flow", "part"}, {"other"}),
            (Query(private=True), {"secret"}, set()),
            (Query(private=False), {"flow", "part", "other"}, {"flow", "part", "other"}),
            (Query(own=True, text="secret"), {"secret"}, set()),
        ]
        for query, of_ann, of_ben in cases:
            assert set(_names(await store.search(ann, query))) == of_ann, query
            assert set(_names(await store.search(ben, query))) == of_ben, query

    async def test_sorted(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: by name, time, downloads and likes, both ways; the latest changed first by default."""
        made: dict[str, Component] = {}
        for name in ("b", "A", "c"):
            made[name] = await store.publish(ann, named(name))
        for query, names in (
            (Query(sort=((Sort.NAME, False),)), ["A", "b", "c"]),
            (Query(sort=((Sort.NAME, True),)), ["c", "b", "A"]),
            (Query(sort=((Sort.CREATED, False),)), ["b", "A", "c"]),
            (Query(), ["c", "A", "b"]),
        ):
            assert _names(await store.search(ben, query)) == names, query
        self.require("sorts_by_likes")
        await store.like(ben, made["A"].id)
        await store.download(ben, made["b"].id)
        for query, names in (
            (Query(sort=((Sort.LIKES, True), (Sort.NAME, False))), ["A", "b", "c"]),
            (Query(sort=((Sort.DOWNLOADS, True), (Sort.NAME, True))), ["b", "c", "A"]),
        ):
            assert _names(await store.search(ben, query)) == names, query

    async def test_pages(self, harness: StoreHarness, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: cover everything once; the count is that of everything."""
        store = await harness.store(max_page=3)
        for number in range(7):
            await store.publish(ann, named(f"c{number}"))
        by_name = ((Sort.NAME, False),)
        seen = [await store.search(ben, Query(sort=by_name, page=page, limit=2)) for page in (1, 2, 3, 4, 5)]
        assert [_names(page) for page in seen] == [["c0", "c1"], ["c2", "c3"], ["c4", "c5"], ["c6"], []]
        assert {page.total for page in seen} == {7}
        assert len((await store.search(ben, Query(limit=1_000))).items) == 3
        for query in (Query(page=0), Query(limit=0), Query(page=2**31)):
            with pytest.raises(InvalidComponentError):
                await store.search(ben, query)
