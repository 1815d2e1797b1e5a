"""Pages for people: rendered on the server, self-contained, without scripts."""

import base64
import functools
import hashlib
import re
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page"]

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # few processes ever show a page

    return Environment(
        loader=PackageLoader("bedplate.wiring.http", "pages"), autoescape=True, undefined=StrictUndefined
    )


@functools.cache
def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def page(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template; its one style sheet is allowed by its digest, and nothing else is loaded or run.

    Args:
        name: File name of the template, in this folder.
        status: HTTP status.
        values: What the template shows; escaped.
    """
    html = _environment().get_template(name).render(**values)
    style = _STYLE.search(html)
    headers = {"Content-Security-Policy": _policy(style.group(1) if style else ""), "Cache-Control": "no-store"}
    return HTMLResponse(html, status_code=status, headers=headers)
