"""Templates and static files, loaded when the first page is asked for."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from underspend.web.http import Response

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static_url
    return made


def render(template: str, context: dict[str, Any], *, status: int = 200) -> Response:
    """A page; every value is escaped, and one the template asks for and the context lacks is an error."""
    html = _environment().get_template(template).render(context)
    return Response(body=html.encode(), status=status)


@cache
def static(name: str) -> Response | None:
    """A static file, cacheable for ever since its address changes with its content; None when there is none."""
    file = next((file for file in _STATIC.iterdir() if file.name == name), None)
    if file is None or file.suffix not in _TYPES:
        return None
    return Response(body=file.read_bytes(), content_type=_TYPES[file.suffix], headers=_FOREVER)


@cache
def static_url(name: str) -> str:
    """The address of a static file."""
    digest = hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/_/static/{name}?v={digest}"
