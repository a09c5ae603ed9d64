"""HTML and SVG elements with everything escaped."""

from __future__ import annotations

from markupsafe import Markup, escape


def element(name: str, /, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """`<name …>children</name>`. `class_` is written class, `aria_label` aria-label; None leaves an attribute out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{said}>{inner}</{name}>")  # noqa: S704  # children and values were escaped above


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4f}".rstrip("0").rstrip(".")
