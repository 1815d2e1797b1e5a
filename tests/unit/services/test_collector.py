"""The garbage collector is left alone while a process starts, and is afterwards what it was before."""

import gc
import subprocess
import sys

import pytest

from bedplate.services.collector import collector_paused, grow_old


def test_it_is_on_again_whatever_happens() -> None:
    assert gc.isenabled()
    with collector_paused(), collector_paused():
        assert not gc.isenabled()
    with pytest.raises(LookupError), collector_paused():
        raise LookupError
    assert gc.isenabled()


def test_one_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_start_imports_no_dialect_that_is_not_used_and_leaves_the_collector_on() -> None:
    """ALL-1: what a start on the embedded defaults does not need costs it nothing."""
    code = (
        "import gc, sys\n"
        "from bedplate.containers import ApplicationContainer\n"
        "from bedplate.wiring.http import create_app\n"
        "create_app(ApplicationContainer())\n"
        "names = ('sqlalchemy.dialects.postgresql', 'jinja2', 'openfeature', 'socketio', 'psycopg', 'alembic')\n"
        "print(gc.isenabled(), [name for name in names if name in sys.modules])\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "True []"


def test_what_there_is_grows_old_without_being_looked_at() -> None:
    with collector_paused():
        young: list[object] = [[]]
        collections = [generation["collections"] for generation in gc.get_stats()]
        grow_old()
        assert any(one is young for one in gc.get_objects(generation=2))
        assert [generation["collections"] for generation in gc.get_stats()] == collections
