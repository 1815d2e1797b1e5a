"""Masking by the shape of a secret (TRACE-4)."""

import json

import pytest

from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("curl -H 'Authorization: Bearer abc123def'", f"curl -H 'Authorization: Bearer {MASK}'"),
        ("sent bearer AbCdEfGh as is", f"sent bearer {MASK} as is"),
        ("Basic dXNlcjpwYXNz", f"Basic {MASK}"),
        ("authorization=raw-value-1", f"authorization={MASK}"),
        ('{"Authorization": "Bearer x"}', f'{{"Authorization": "{MASK}"}}'),
        ("key sk-proj-abcDEF123456789_xyz failed", f"key {MASK} failed"),
        ("sk-abcdefghijklmnopqrst", MASK),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", MASK),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", MASK),
        ("xoxb-1234567890-abcdefghijkl", MASK),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", MASK),
        (f"token_{JWT} x", f"token_{MASK} x"),
        (f"a {JWT} b", f"a {MASK} b"),
        ("id AKIAIOSFODNN7EXAMPLE.", f"id {MASK}."),
        (f"<{PEM}>", f"<{MASK}>"),
        (PEM[:50], MASK),
        (json.dumps(PEM), f'"{MASK}"'),
        ("postgresql://app:p@ss@db.example/x", f"postgresql://app:{MASK}@db.example/x"),
        ("redis://:hunter2@127.0.0.1:6379/0", f"redis://:{MASK}@127.0.0.1:6379/0"),
        ("GET /x?api_key=abcdef&page=2", f"GET /x?api_key={MASK}&page=2"),
        ("OPENAI_API_KEY=abcdef make", f"OPENAI_API_KEY={MASK} make"),
        ("db_password = hunter2\nhost = x", f"db_password = {MASK}\nhost = x"),
        ('{"client_secret": "it\'s \\"me\\"", "a": 1}', f'{{"client_secret": "{MASK}", "a": 1}}'),
        ("{'password': 'x y', 'b': 2}", f"{{'password': '{MASK}', 'b': 2}}"),
        (json.dumps('{"token": "abc"}'), json.dumps(f'{{"token": "{MASK}"}}')),
        ('{"max_tokens": "{\\"password\\": \\"x\\"}"}', f'{{"max_tokens": "{{\\"password\\": \\"{MASK}\\"}}"}}'),
        ('"api_key": "cut in the mid', f'"api_key": "{MASK}'),
        ("Cookie: session=abc; other=d\nHost: x", f"Cookie: {MASK}\nHost: x"),
        ("X-Api-Key: abcdef", f"X-Api-Key: {MASK}"),
        ("X-Auth-Token: abcdef, next", f"X-Auth-Token: {MASK}, next"),
    ],
)
def test_secrets_are_known_by_their_shape(redactor: Redactor, text: str, masked: str) -> None:
    """TRACE-4: what no service registered is masked too."""
    assert redactor.text(text) == masked
    assert redactor.text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of this letter",
        "basic information about cats",
        "What is a token: a unit of text",
        "max_tokens=4096&prompt_tokens=12",
        '{"token_usage": {"total": 5}, "max_tokens": "100"}',
        "https://example.com:8443/path?mail=a@b.example",
        "http://127.0.0.1:7860/api",
        "Cookie: 200 g flour",
        "risk-management-department-of-the-house",
        "AKIA is a prefix",
        "a -----BEGIN PUBLIC KEY----- b",
        'if password == "":',
        "the secretary = clever",
        "",
    ],
)
def test_ordinary_texts_are_left_alone(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text


def test_patterns_of_the_settings_are_added() -> None:
    redactor = Redactor(SettingsService(tracing={"redact_patterns": (r"K-\d{4}", r"id:(?P<secret>\w+)", r"x*?y|z?q")}))
    assert redactor.text("K-1234 id:abc q") == f"{MASK} id:{MASK} {MASK}"


@pytest.mark.parametrize("pattern", ["(", "(?P<x>a)(?P<x>b)", "[", "x*", ""])
def test_a_pattern_that_cannot_work_is_refused_when_built(pattern: str) -> None:
    """TRACE-4: a typed error that names the setting, not a failure in the first log line."""
    with pytest.raises(ConfigurationError, match=r"redactor: .*BEDPLATE_TRACING__REDACT_PATTERNS"):
        Redactor(SettingsService(tracing={"redact_patterns": (pattern,)}))


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ", "eyJ_", "-----BEGIN PRIVATE KEY", "bearer ", "Basic\t", "authorization", "authorization: ", "cookie: a",
        "x-", "x-key", "://", "://a:", "://:@", "token", "token:'", "max_tokens:'", 'tokens:\\"', "password=", "sk-",
        "a", "\\", " ", "=", "AIza", "secret" + " " * 3, "jwt.", "-", "tokens=(", "AKIA",
    ],
)  # fmt: skip
def test_no_text_makes_masking_slow(redactor: Redactor, unit: str) -> None:
    """ALL-6: texts come from strangers; a quadratic expression would need hours for one of these."""
    redactor.register("registered-secret")
    redactor.text(unit * (150_000 // len(unit)))


@pytest.mark.parametrize(
    "text",
    [
        "use sk-proj-abcDEF123456789_xyz here",
        "sk-abcdefghijklmnopqrst",
        "hf_AbCdEfGhIjKlMnOpQrSt",
        "hf_abcdefghijklmnopqrstuvwx",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        f"'{JWT}'",
        PEM,
    ],
)
def test_what_has_the_shape_of_a_key_is_recognised(redactor: Redactor, text: str) -> None:
    """STORE-2: so that it can be refused."""
    assert redactor.recognises(text)


@pytest.mark.parametrize(
    "text",
    [
        "headers = {'Authorization': f'Bearer {self.api_key}'}",
        "openai_api_key=self.api_key, password=self.password",
        'SecretStrInput(name="api_key", value="OPENAI_API_KEY")',
        "def hf_embeddings_inference_endpoint(): ...",
        "postgresql://user:password@localhost/db",
        "Cookie: a=b",
        "",
    ],
)
def test_what_source_code_is_full_of_is_not_recognised(redactor: Redactor, text: str) -> None:
    """STORE-2: though some of it is masked in logs, where too much does no harm."""
    assert not redactor.recognises(text)


def test_a_registered_secret_is_recognised(redactor: Redactor) -> None:
    """STORE-2: in every form in which it is masked."""
    redactor.register("plain-words-that-are-secret", holder="me")
    assert redactor.recognises("say plain-words-that-are-secret!")
    assert redactor.recognises("cGxhaW4td29yZHMtdGhhdC1hcmUtc2VjcmV0")
    redactor.unregister("plain-words-that-are-secret", holder="me")
    assert not redactor.recognises("say plain-words-that-are-secret!")
