"""`underspend config`: every setting, its value and where that was said; and a way to set one."""

from __future__ import annotations

import json
import re

import click

from underspend.config import load

_SECRET = {"gateway.access_key"}


@click.group()
def command() -> None:
    """Look at the settings, or set one."""


@command.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def explain(names: tuple[str, ...], *, as_json: bool) -> None:
    """Show each setting (or those whose name begins with NAMES) with its value and origin."""
    settings = load()
    chosen = [origin for origin in settings.origins if not names or any(origin.name.startswith(name) for name in names)]
    rows = [
        {
            "name": origin.name,
            "value": _shown(origin.name, origin.value),
            "source": origin.source,
            "description": origin.description,
        }
        for origin in chosen
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        value = json.dumps(row["value"])
        click.echo(f"{row['name']:<{width}}  {value:<28}  {row['source']}")
    click.echo(f"\nconfig file: {settings.paths.config_file}\ndata folder: {settings.paths.data}")


@command.command("set")
@click.argument("name")
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Write one setting into config.toml: strategies.trim_results.state on.

    VALUE is read as TOML, else taken as text. Comments stay; nothing is written that would not load.
    """
    from underspend.config.change import set_value, value_of

    file = set_value(name, value_of(value))
    shown = json.dumps(value_of(value))
    click.echo(f"{name} = {shown} is in {file}. A running gateway takes it up when it is restarted.")


def _shown(name: str, value: object) -> object:
    """The value as plain data, without secrets."""
    import msgspec

    if name in _SECRET:
        return "(set)" if value else ""
    if name in {"cache.url", "faq.url", "budget_store.url"}:
        return re.sub(r"://[^@/]*@", "://***@", str(value))
    if name == "ledger.url" and value:
        from sqlalchemy import make_url

        return make_url(str(value)).render_as_string(hide_password=True)
    return msgspec.to_builtins(value)
