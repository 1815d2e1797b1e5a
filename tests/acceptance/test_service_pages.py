"""What the pages of services show works as it stands there."""

import ast
import inspect
import re
import types
from pathlib import Path

import pytest

from bedplate.containers import ContainerInstance

_PAGES = Path(__file__).parents[2] / "docs" / "services"


_EXECUTED = sorted({page.stem for page in _PAGES.glob("*.md")} - {"socket"})
"""Each page but that of sockets, whose examples are a client's, of a server that listens."""


@pytest.mark.parametrize("name", _EXECUTED)
async def test_examples_of_a_page(name: str, container: ContainerInstance) -> None:
    """Every block, from top to bottom, in one module with a running ``container``."""
    text = (_PAGES / f"{name}.md").read_text(encoding="utf-8")
    module = types.ModuleType(f"page_{name}")
    vars(module)["container"] = container
    blocks = list(re.finditer(r"```python\n(.*?)```", text, re.DOTALL))
    assert blocks
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block[1], f"{name}.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = types.FunctionType(code, vars(module))()
        if inspect.isawaitable(result):
            await result


@pytest.mark.parametrize("page", sorted(_PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
