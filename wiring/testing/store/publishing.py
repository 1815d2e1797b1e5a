"""STORE-1: publish, update, download, delete; no secret is ever published."""

import copy
import hashlib
import uuid
from typing import Any

import orjson
import pytest

from bedplate.services.errors import TooLargeError
from bedplate.services.store import (
    Changes,
    ComponentNotFoundError,
    InvalidComponentError,
    Query,
    StoreDocumentError,
    StoreSecretError,
    StoreService,
)
from bedplate.wiring.testing.store.harness import Capabilities, StoreHarness, flow, named

__all__ = ["Publishing"]

_KEY = "sk-proj-0123456789abcdefghijABCDEFGHIJ"
_PEM = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

_NO_FLOWS: tuple[dict[str, Any], ...] = (
    {},
    {"nodes": []},
    {"nodes": {}, "edges": []},
    {"nodes": [1], "edges": []},
    {"nodes": [{"id": "a"}], "edges": []},
    {"nodes": flow()["nodes"] * 2, "edges": []},
    {**flow(), "edges": [{"source": "Prompt-a1", "target": "nowhere"}]},
    {**flow(), "huge": 10**40},
    {**flow(), "none": object()},
)
_IMPOSSIBLE: tuple[dict[str, Any], ...] = (
    {"name": ""},
    {"name": " "},
    {"name": "a\0"},
    {"name": "\ud800"},
    {"name": "x" * 256},
    {"description": "\0"},
    {"description": "x" * 10_001},
    {"tags": ("",)},
    {"tags": ("a,b",)},
    {"tags": ("\n",)},
    {"tags": ("x" * 65,)},
    {"version": "one"},
    {"version": "1.0"},
    {"version": "1.0.0" + "0" * 70},
)


class Publishing(Capabilities):
    """STORE-1 and the checks of STORE-2."""

    async def test_what_is_published_can_be_downloaded_by_others(
        self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID
    ) -> None:
        """STORE-1: the document as it was, with what is known of it, and a digest that can be checked."""
        sent = flow("What is it?", temperature={"type": "float", "value": 0.1}, deep={"value": [{"a": [None, True]}]})
        before = copy.deepcopy(sent)
        made = await store.publish(ann, named("An agent", data=sent, description="It acts", last_tested_version="1.6"))
        assert sent == before
        assert (made.name, made.description, made.private) == ("An agent", "It acts", False)
        assert made.summary == {"Prompt": {"count": 1}, "total": 1}
        got = await store.download(ben, made.id)
        assert (got.id, got.name, got.description, got.data) == (made.id, "An agent", "It acts", sent)
        canonical = orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)
        assert got.digest == hashlib.sha256(canonical).hexdigest()

    async def test_downloads_are_counted(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: every one."""
        made = await store.publish(ann, named("Counted"))
        assert made.downloads == 0
        for user in (ann, ben, ben):
            await store.download(user, made.id)
        assert (await store.get(ben, made.id)).downloads == 3

    async def test_an_update_changes_what_it_names(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: and nothing else."""
        made = await store.publish(ann, named("First", description="d"))
        await store.update(ann, made.id, Changes(name="Second"))
        seen = await store.get(ben, made.id)
        assert (seen.name, seen.description, seen.id, seen.private) == ("Second", "d", made.id, False)
        await store.update(ann, made.id, Changes(data=flow("other"), description=None))
        got = await store.download(ben, made.id)
        assert (got.name, got.description, got.data) == ("Second", None, flow("other"))
        await store.update(ann, made.id, Changes(private=True))
        with pytest.raises(ComponentNotFoundError):
            await store.download(ben, made.id)
        assert (await store.download(ann, made.id)).data == flow("other")

    async def test_what_is_deleted_is_gone(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: for everybody, from likes and searches too."""
        self.require("deletes")
        made = await store.publish(ann, named("Gone"))
        await store.like(ben, made.id)
        await store.delete(ann, made.id)
        for user in (ann, ben):
            with pytest.raises(ComponentNotFoundError):
                await store.download(user, made.id)
        with pytest.raises(ComponentNotFoundError):
            await store.delete(ann, made.id)
        assert await store.liked(ben) == []
        assert (await store.search(ben)).total == 0

    async def test_fields_for_secrets_are_emptied(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: uploads once sent literal secrets; the names of variables go along."""
        sent = flow(
            api_key={"type": "str", "password": True, "value": "hunter2"},
            openai_api_key={"type": "str", "value": "not marked as one"},
            by_name={"type": "str", "password": True, "load_from_db": True, "value": "MY_VARIABLE"},
            headers={
                "type": "table",
                "value": [{"key": "Authorization", "value": "Bearer x1"}, {"key": "a", "value": "b"}],
            },
            settings={"type": "dict", "value": {"client_secret": "hidden", "region": "eu"}},
        )
        made = await store.publish(ann, named("Secrets", data=sent))
        await store.update(ann, made.id, Changes(data={**sent, "viewport": {}}))
        fields = (await store.download(ben, made.id)).data["nodes"][0]["data"]["node"]["template"]
        assert fields["api_key"]["value"] == fields["openai_api_key"]["value"] == ""
        assert fields["by_name"]["value"] == "MY_VARIABLE"
        assert fields["headers"]["value"] == [{"key": "Authorization", "value": ""}, {"key": "a", "value": "b"}]
        assert fields["settings"]["value"] == {"client_secret": "", "region": "eu"}

    async def test_a_secret_elsewhere_is_refused_with_its_place(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: the error says where it is, and never what it is; nothing is published."""
        kept = await store.publish(ann, named("Kept"))
        for secret in (_KEY, _JWT, _PEM):
            code = {"type": "code", "value": f"def run():\n    return call({secret!r})\n"}
            cases: list[tuple[dict[str, Any], str]] = [
                ({"data": flow(code=code)}, "data.nodes[0].data.node.template.code.value"),
                ({"data": {**flow(), secret: 1}}, "the name of a field of data"),
                ({"description": f"use {secret}"}, "description"),
                ({"name": f"mine {_KEY}"}, "name"),
                ({"tags": ("ok", _KEY)}, "tags[1]"),
            ]
            for fields, path in cases:
                for call in (
                    store.publish(ann, named(**{"name": "x", **fields})),
                    store.update(ann, kept.id, Changes(**fields)),
                ):
                    with pytest.raises(StoreSecretError) as caught:
                        await call
                    assert path in caught.value.paths
                    assert secret not in str(caught.value)
        assert (await store.search(ann, Query(own=True))).total == 1
        assert (await store.get(ann, kept.id)).name == "Kept"

    async def test_source_code_is_no_secret(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: names of variables, headers made of them, and assignments to them."""
        code = (
            "class Model(Component):\n"
            "    inputs = [SecretStrInput(name='api_key', value='OPENAI_API_KEY')]\n"
            "    def build(self, hf_embeddings_inference_endpoint: str = 'x') -> str:\n"
            "        headers = {'Authorization': f'Bearer {self.api_key}'}\n"
            "        return call(api_key=self.api_key, password=self.password, token=get_token())\n"
        )
        made = await store.publish(ann, named("Code", data=flow(code={"type": "code", "value": code})))
        fields = (await store.download(ann, made.id)).data["nodes"][0]["data"]["node"]["template"]
        assert fields["code"]["value"] == code

    async def test_secrets_are_masked_where_a_setting_says_so(self, harness: StoreHarness, ann: uuid.UUID) -> None:
        """STORE-2."""
        store = await harness.store(on_leak="mask")
        made = await store.publish(ann, named("x", data=flow(f"use {_KEY} now"), description=f"use {_KEY} now"))
        got = await store.download(ann, made.id)
        assert _KEY not in str(got)
        assert got.description == "use __REDACTED__ now"
        assert got.data["nodes"][0]["data"]["node"]["template"]["prompt"]["value"] == "use __REDACTED__ now"

    async def test_what_is_no_flow_is_refused(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: nothing of it is published."""
        for data in _NO_FLOWS:
            with pytest.raises(StoreDocumentError):
                await store.publish(ann, named("x", data=data))
        nested: Any = []
        for _ in range(5_000):
            nested = [nested]
        with pytest.raises(StoreDocumentError):
            await store.publish(ann, named("x", data={**flow(), "deep": nested}))
        assert (await store.search(ann, Query(own=True))).total == 0

    async def test_limits(self, harness: StoreHarness, ann: uuid.UUID) -> None:
        """STORE-1: too large a document, too many tags."""
        store = await harness.store(max_document_bytes=1_000, max_tags=2)
        with pytest.raises(TooLargeError):
            await store.publish(ann, named("x", data=flow("y" * 1_000)))
        with pytest.raises(InvalidComponentError):
            await store.publish(ann, named("x", tags=("a", "b", "c")))
        await store.publish(ann, named("x", data=flow("y" * 500)))

    async def test_impossible_values_are_refused(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-1: by an error that says which."""
        for fields in _IMPOSSIBLE:
            with pytest.raises(InvalidComponentError):
                await store.publish(ann, named(**{"name": "x", **fields}))

    async def test_what_cannot_be_stored_is_replaced_in_documents(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-1: models cut characters in two."""
        made = await store.publish(ann, named("x", data=flow("a\0b\ud83d")))
        got = await store.download(ann, made.id)
        assert got.data == flow("a\ufffdb\ufffd")
