"""`underspend open`: the dashboard."""

from __future__ import annotations

import click

from underspend.cli.gateway_link import get_json
from underspend.config import load
from underspend.web.address import base_url


@click.command("open", short_help="Open the dashboard in a browser.")
@click.option("--print", "only_print", is_flag=True, help="Print its address and open nothing.")
def command(*, only_print: bool) -> None:
    """Open the running gateway's dashboard, or print its address where there is no browser."""
    settings = load()
    url = f"{base_url(settings)}/_/"
    if not only_print:
        get_json(settings, "/_/api/status")
        click.launch(url)
    click.echo(url)
