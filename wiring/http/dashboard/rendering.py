"""From templates to answers: escaped, compressed, under a policy that lets nothing in from elsewhere."""

import functools
import gzip
from datetime import UTC, datetime
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bedplate import __version__
from bedplate.wiring.http.dashboard.assets import asset_path
from bedplate.wiring.http.dashboard.documentation import prose

__all__ = ["POLICY", "ago", "amount", "base_of", "compile_templates", "duration", "fragment", "page", "pretty", "size"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No inline script, no inline style, nothing of another origin."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Under "no-referrer", browsers send "Origin: null" with a form, which cannot be told from a foreign one.
    "Referrer-Policy": "same-origin",
}
_WORTH_COMPRESSING = 1024
_LEVEL = 4
_MAX_SHOWN = 20_000


def ago(moment: datetime | None) -> str:
    """How long ago something was, in its largest unit."""
    if moment is None:
        return "–"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 0:
        return f"in {_span(-seconds)}"
    return "just now" if seconds < 1 else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    # What would be rounded up to a whole of the next unit is one of it.
    for unit, length, from_here in (("d", 86_400, 84_600), ("h", 3_600, 3_570), ("min", 60, 59.5)):
        if seconds >= from_here:
            return f"{max(seconds / length, 1):.0f} {unit}"
    return f"{seconds:.0f} s"


def duration(milliseconds: float | None) -> str:
    """A length of time in the unit that suits it."""
    if milliseconds is None:
        return "–"
    if milliseconds < 0.9995:
        return f"{milliseconds * 1e3:.0f} µs"
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms" if milliseconds < 99.95 else f"{milliseconds:.0f} ms"
    if milliseconds < 59_995:
        return f"{milliseconds / 1e3:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1e3), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float | None) -> str:
    """A number of bytes in the unit that suits it."""
    if count is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < (1024 if unit == "B" else 1023.95):
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def amount(number: float | None) -> str:
    """A number, with thin spaces between its thousands."""
    if number is None:
        return "–"
    text = f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 1000 else f"{number:.3g}"
    return text.replace(",", "\u202f")


def pretty(value: Any) -> str:
    """A value as indented JSON, cut where it is long; text stays text."""
    if isinstance(value, str):
        text = value
    else:
        text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    if len(text) > _MAX_SHOWN:
        return f"{text[:_MAX_SHOWN]}\n… {len(text) - _MAX_SHOWN:,} more characters"
    return text


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bedplate.wiring.http.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"ago": ago, "amount": amount, "duration": duration, "pretty": pretty, "prose": prose, "size": size}
    made.globals |= {"asset": asset_path, "version": __version__}
    return made


def compile_templates() -> None:
    """Compile all templates, so that no page waits for it."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


def fragment(template: str, /, **values: Any) -> str:
    """Render a template that is no page."""
    return _environment().get_template(template).render(**values)


def base_of(request: Request) -> str:
    """What stands before every address where the application is served below another path."""
    scope = request.scope
    base: str = scope.get("app_root_path", scope.get("root_path", ""))
    return base


def page(request: Request, template: str, /, *, status: int = 200, **values: Any) -> Response:
    """Render a template.

    Args:
        request: What is answered.
        template: Its file name.
        status: HTTP status.
        values: What the template shows; escaped.
    """
    base = base_of(request)
    html = _environment().get_template(template).render(base=base, path=request.url.path, **values).encode()
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, HX-Request", **_HEADERS}
    if len(html) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
        html = gzip.compress(html, _LEVEL, mtime=0)
        headers |= {"Content-Encoding": "gzip", "Vary": "Cookie, HX-Request, Accept-Encoding"}
    return HTMLResponse(html, status_code=status, headers=headers)
