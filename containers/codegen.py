"""Source of the wrappers that ``inject`` makes: one per shape of signature, cached, readable in tracebacks.

The wrapper of ``async def f(a, db: Database, *, n=1)`` reads::

    async def wrapper(a, *, n, **_given):
        if _given: return await _fn(a, _given.pop('db') if 'db' in _given else _db(), n=n, **_given)
        return await _fn(a, _db(), n=n)

with ``_fn`` and ``_db`` in closure cells, which ``bind`` fills. So a call costs the call of the provider and no more:
no ``*args`` are packed and no dictionary is searched, unless the caller passes a keyword that is not visible.
"""

import functools
import inspect
import linecache
import textwrap
from types import CodeType
from typing import NamedTuple

__all__ = ["Slot", "WrapperKind", "compile_wrapper"]

_BODIES = {
    "def": "if {given}: return {slow}\nreturn {fast}",
    "async def": "if {given}: return await {slow}\nreturn await {fast}",
    "def*": "if {given}: return (yield from {slow})\nreturn (yield from {fast})",
    # An async generator has no `yield from`: what is sent and thrown into the wrapper is handed on by hand.
    "async def*": """\
{x}inner = {slow} if {given} else {fast}
try:
    {x}value = await anext({x}inner)
    while True:
        try:
            {x}sent = yield {x}value
        except GeneratorExit:
            await {x}inner.aclose()
            raise
        except BaseException as {x}error:
            {x}value = await {x}inner.athrow({x}error)
        else:
            {x}value = await {x}inner.asend({x}sent)
except StopAsyncIteration:
    return""",
}


class Slot(NamedTuple):
    """One parameter of an injected function."""

    name: str
    kind: inspect._ParameterKind
    injected: bool


class WrapperKind(NamedTuple):
    """Which of the four kinds of function a wrapper has to be."""

    is_async: bool
    is_generator: bool

    @property
    def keyword(self) -> str:
        """What the wrapper is defined with."""
        return "async def" if self.is_async else "def"

    @property
    def body(self) -> str:
        """The template of the wrapper's body."""
        return _BODIES[self.keyword + "*" * self.is_generator]


@functools.cache
def compile_wrapper(kind: WrapperKind, layout: tuple[Slot, ...]) -> CodeType:
    """Compile ``make(fn, *providers) -> (wrapper, bind)`` for functions with these parameters."""
    x = _free_prefix(layout)
    given = next((slot.name for slot in layout if slot.kind is slot.kind.VAR_KEYWORD), f"{x}given")
    signature = _visible_signature(layout, given)
    body = kind.body.format(x=x, given=given, slow=_call(layout, x, given=given), fast=_call(layout, x, given=None))
    cells = ", ".join(f"{x}{slot.name}" for slot in layout if slot.injected)
    source = (
        f"def make({x}fn, {cells}):\n"
        f"    {kind.keyword} wrapper{signature}:\n"
        f"{textwrap.indent(body, ' ' * 8)}\n"
        f"    def bind(*{x}providers):\n"
        f"        nonlocal {cells}\n"
        f"        {cells}, = {x}providers\n"
        f"    return wrapper, bind\n"
    )
    filename = f"<inject {kind.keyword}{'*' * kind.is_generator}{signature} + {cells}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile(source, filename, "exec", dont_inherit=True)


def _free_prefix(layout: tuple[Slot, ...]) -> str:
    """A prefix for the wrapper's own names that no parameter begins with."""
    prefix = "_"
    while any(slot.name.startswith(prefix) for slot in layout):
        prefix += "_"
    return prefix


def _visible_signature(layout: tuple[Slot, ...], given: str) -> inspect.Signature:
    visible = [
        inspect.Parameter(slot.name, slot.kind)
        for slot in layout
        if not slot.injected and slot.kind is not slot.kind.VAR_KEYWORD
    ]
    return inspect.Signature([*visible, inspect.Parameter(given, inspect.Parameter.VAR_KEYWORD)])


def _call(layout: tuple[Slot, ...], x: str, *, given: str | None) -> str:
    """The call of the wrapped function; with ``given``, values in that dictionary go before the providers'."""
    arguments = []
    for slot in layout:
        if slot.kind is slot.kind.VAR_KEYWORD:
            continue
        value = slot.name
        if slot.injected:
            value = f"{x}{slot.name}()"
            if given is not None:
                value = f"{given}.pop({slot.name!r}) if {slot.name!r} in {given} else {value}"
        prefix = {slot.kind.VAR_POSITIONAL: "*", slot.kind.KEYWORD_ONLY: f"{slot.name}="}.get(slot.kind, "")
        arguments.append(prefix + value)
    if given is not None:
        arguments.append(f"**{given}")
    return f"{x}fn({', '.join(arguments)})"
