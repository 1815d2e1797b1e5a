"""The tree of errors: every class has a code of its own, and every text its parts."""

import importlib
import inspect
import pkgutil
from collections import Counter
from types import ModuleType
from typing import Any

import pytest

import bedplate
from bedplate.services.errors import BedplateError, MissingExtraError, RateLimitedError


def modules() -> list[ModuleType]:
    """Every module of the distribution that can be imported with the core dependencies alone."""
    found = [module.name for module in pkgutil.walk_packages(bedplate.__path__, "bedplate.")]
    return [importlib.import_module(name) for name in found if ".migrations" not in name and "__main__" not in name]


@pytest.fixture(scope="module")
def errors() -> list[type[BedplateError]]:
    classes: dict[type[BedplateError], None] = {}
    for module in modules():
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, BedplateError) and not value.__name__.startswith("_"):
                classes[value] = None
    return list(classes)


def test_every_error_has_a_code_of_its_own(errors: list[type[BedplateError]]) -> None:
    """ALL-3: only a class that groups others may do without."""
    assert len(errors) > 20
    without = [error.__name__ for error in errors if "code" not in vars(error) and not error.__subclasses__()]
    assert without == []
    codes = Counter(error.code for error in errors if "code" in vars(error))
    assert {code: count for code, count in codes.items() if count > 1} == {}
    assert all(code == code.lower() and code.replace("_", "").isalnum() for code in codes)


def test_every_error_that_a_service_shows_is_in_the_tree() -> None:
    """ALL-3: a public exception outside cannot be caught with the rest, and has no code."""
    outside = {
        f"{module.__name__}.{name}"
        for module in modules()
        if hasattr(module, "__path__") or module.__name__.endswith(".errors")
        for name in getattr(module, "__all__", ())
        if inspect.isclass(value := getattr(module, name))
        and issubclass(value, Exception)
        and not issubclass(value, BedplateError)
    }
    assert outside == set()


def test_the_codes_of_the_tree_never_change() -> None:
    """ALL-3: clients compare them."""
    tree = importlib.import_module("bedplate.services.errors")
    classes = {name: one for name in tree.__all__ if inspect.isclass(one := getattr(tree, name))}
    assert {name: one.code for name, one in classes.items()} == {
        "AuthenticationError": "authentication",
        "BedplateError": "error",
        "ConfigurationError": "configuration",
        "ConflictError": "conflict",
        "CorruptDataError": "corrupt_data",
        "InvalidInputError": "invalid_input",
        "LifecycleError": "lifecycle",
        "MissingExtraError": "missing_extra",
        "NotFoundError": "not_found",
        "PermissionDeniedError": "permission_denied",
        "RateLimitedError": "rate_limited",
        "TooLargeError": "too_large",
        "UnavailableError": "unavailable",
        "WiringError": "wiring",
    }


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BedplateError("it broke"), "it broke"),
        (BedplateError("it broke", service="cache"), "cache: it broke"),
        (
            BedplateError("it broke", service="cache", why="no space left", fix="make room"),
            "cache: it broke (no space left). Fix: make room",
        ),
        (MissingExtraError("s3", module="x", service="storage"),
         "storage: the module 'x' is not installed. Fix: pip install 'bedplate[s3]'"),
        (RateLimitedError("too often", retry_after=2.0), "too often"),
    ],
    ids=["what", "service", "all", "extra", "rate"],
)  # fmt: skip
def test_the_text_of_an_error_has_service_what_why_and_fix(error: Any, text: str) -> None:
    """ALL-3"""
    assert str(error) == text
