"""Masking by the name of the field (TRACE-4)."""

import pytest

from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.settings import SettingsService


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apiKey", "API-KEY", "x-api-key", "openai_api_key", "OPENAI_API_KEY", "OpenAIApiKey", "apikey",
        "password", "db_password", "Passwd", "passphrase", "pwd", "db_pwd",
        "secret", "client_secret", "clientSecret", "SECRET_KEY", "aws_secret_access_key", "secret_id",
        "token", "access_token", "accessToken", "accesstoken", "refresh-token", "id_token", "bot_token", "hf_token",
        "access_tokens", "refreshTokens", "csrftoken", "token_value",
        "authorization", "Authorization", "Proxy-Authorization", "auth", "basic_auth", "bearer", "jwt",
        "cookie", "Set-Cookie", "cookies", "credential", "credentials", "private_key", "privateKey", "signing_key",
        "encryption key", "access.key",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(redactor: Redactor, name: str) -> None:
    """TRACE-4: token, secret, authorization and credentials too, not only api_key and password."""
    assert redactor.is_secret_name(name)
    assert redactor.value({name: "x"}) == {name: MASK}


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens", "maxTokens", "prompt_tokens", "completion_tokens", "total_tokens", "token_usage", "tokens",
        "token_count", "tokenUsage", "maxtokens", "tokenusage", "input_tokens", "cached_tokens", "tokenizer",
        "token_type", "tokenType", "token_limit", "tokens_per_second", "num_tokens", "expires", "token_expires_in",
        "secret_name", "password_policy", "api_key_name", "credential_type", "cookie_name", "password_length",
        "author", "authority", "key", "keys", "name", "model", "session_id", "passenger", "compass", "secure", "",
        "monkey_key", "primary_key", "public_key", "text", "---",
    ],
)  # fmt: skip
def test_ordinary_names_are_left_alone(redactor: Redactor, name: str) -> None:
    """TRACE-4: counts of tokens and facts about secrets stay readable."""
    assert not redactor.is_secret_name(name)
    assert redactor.value({name: "x"}) == {name: "x"}


def test_names_of_the_settings_are_added() -> None:
    redactor = Redactor(SettingsService(tracing={"redact_keys": ("Customer-Number",)}))
    assert redactor.value({"customerNumber": 5, "CUSTOMER_NUMBER": "x", "number": "y"}) == {
        "customerNumber": MASK,
        "CUSTOMER_NUMBER": MASK,
        "number": "y",
    }


def test_flags_and_empty_values_say_nothing_and_stay(redactor: Redactor) -> None:
    fields = {"password": None, "token": "", "api_key": False, "secret": True}
    assert redactor.value(fields) == fields


def test_whatever_is_under_a_secret_name_is_masked(redactor: Redactor) -> None:
    fields = {"credentials": {"user": "u", "pin": [1]}, "cookies": ["a", "b"], "secret": 12345}
    assert redactor.value(fields) == {"credentials": MASK, "cookies": MASK, "secret": MASK}


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        ({"name": "API_KEY", "value": "v"}, {"name": "API_KEY", "value": MASK}),
        ({"key": "Authorization", "value": "v"}, {"key": "Authorization", "value": MASK}),
        ({"name": "plain", "value": "v"}, {"name": "plain", "value": "v"}),
        ({"password": True, "value": "v"}, {"password": True, "value": MASK}),
        ({"password": False, "value": "v"}, {"password": False, "value": "v"}),
        ([["X-Api-Key", "v"], ("Accept", "text")], [["X-Api-Key", MASK], ["Accept", "text"]]),
        ([(b"authorization", b"Bearer v")], [["authorization", MASK]]),
    ],
)
def test_names_that_stand_beside_their_value_count(redactor: Redactor, given: object, masked: object) -> None:
    """TRACE-4: headers as pairs, variables as name and value, fields of a template that are passwords."""
    assert redactor.value(given) == masked
