"""``bedplate.testing``: what other projects' tests import, and what loading the plugin costs them."""

import subprocess
import sys

import bedplate.testing
from bedplate.wiring import testing


def test_every_name_can_be_imported_under_both_names() -> None:
    assert bedplate.testing.__all__ == testing.__all__
    for name in testing.__all__:
        assert getattr(bedplate.testing, name) is getattr(testing, name)
        assert name in (getattr(testing, name).__name__, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(bedplate.testing, "nothing")


def test_loading_the_plugin_imports_neither_fastapi_nor_the_container() -> None:
    """It is loaded in every run of pytest in an environment that has Bedplate."""
    code = (
        "import sys, bedplate.wiring.testing.plugin, bedplate.testing\n"
        "print([name for name in ('fastapi', 'sqlalchemy', 'dependency_injector', 'bedplate.containers')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
