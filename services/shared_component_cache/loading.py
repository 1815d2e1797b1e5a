"""Component types from folders and from installed packages; what fails to import harms nothing else."""

import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import msgspec

from bedplate.services.shared_component_cache.component import Component
from bedplate.services.shared_component_cache.models import ComponentFailure

__all__ = ["ENTRY_POINTS", "Found", "find_components"]

ENTRY_POINTS = "bedplate.components"
"""The group of entry points; each names a component type, or a module that defines some."""


class _FreshLoader(SourceFileLoader):
    """Reads the file itself: compiled code is told from its source by size and second, which an edit may keep."""

    def path_stats(self, path: str) -> Any:
        raise OSError("nothing is kept of this file")


_Load: TypeAlias = Callable[[], list[type[Component]]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        components: Component types, each with where it came from.
        failures: What could not be imported.
        modules: The names of modules that were made for files.
    """

    components: tuple[tuple[type[Component], str], ...]
    failures: tuple[ComponentFailure, ...]
    modules: tuple[str, ...]


def find_components(folders: Iterable[Path]) -> Found:
    """Import the Python files of ``folders`` and the installed entry points. Blocks; meant for a worker thread.

    Args:
        folders: Folders whose ``*.py`` files, those with a leading underscore excepted, define component types. They
            are imported anew each time; installed packages are looked for anew, but imported once.
    """
    importlib.invalidate_caches()
    components: list[tuple[type[Component], str]] = []
    failures: list[ComponentFailure] = []
    modules: list[str] = []
    for origin, load in _sources(folders, modules):
        try:
            components += [(component, origin) for component in load()]
        except (Exception, SystemExit) as error:  # some modules exit when what they need is not there
            failures.append(ComponentFailure(origin=origin, error=f"{type(error).__name__}: {error}".splitlines()[0]))
    return Found(components=tuple(components), failures=tuple(failures), modules=tuple(modules))


def _sources(folders: Iterable[Path], modules: list[str]) -> Iterator[tuple[str, _Load]]:
    for folder in folders:
        if not folder.is_dir():
            yield str(folder), functools.partial(_load_missing, folder)
            continue
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield str(path), functools.partial(_load_file, path, modules)
    for point in entry_points(group=ENTRY_POINTS):
        yield f"entry point {point.name} = {point.value}", functools.partial(_load_point, point)


def _load_missing(folder: Path) -> list[type[Component]]:
    raise FileNotFoundError(f"{folder} is no folder")


def _load_file(path: Path, modules: list[str]) -> list[type[Component]]:
    # Two files of the same name in two folders are two modules.
    digest = hashlib.blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()
    name = f"bedplate_components_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_FreshLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    modules.append(name)
    return _defined_in(module)


def _load_point(point: EntryPoint) -> list[type[Component]]:
    loaded = point.load()
    return _defined_in(loaded) if isinstance(loaded, ModuleType) else [loaded]


def _defined_in(module: ModuleType) -> list[type[Component]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Component)
        and value.__module__ == module.__name__
        and hasattr(value, "type_name")
    ]
