"""`underspend up`: run the gateway."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING

import click

from underspend.config import load
from underspend.gateway.asgi import App
from underspend.gateway.serve import Parts, serve

if TYPE_CHECKING:
    from underspend.integrations.alerts.deliver import Deliveries


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 4100); 0 takes a free one.")
@click.option("--upstream", metavar="URL", help="Where to forward to (default https://api.anthropic.com).")
@click.option("--quiet", is_flag=True, help="Print nothing but the URL.")
def command(host: str | None, port: int | None, upstream: str | None, *, quiet: bool) -> None:
    """Run the gateway until it is stopped with Ctrl-C or SIGTERM."""
    flags = {"gateway.host": host, "gateway.port": port, "upstream.anthropic": upstream}
    settings = load(flags=flags)

    def dashboard(parts: Parts) -> App:
        from underspend.web.app import create

        return create(
            engine=parts.engine, live=parts.live, status=parts.status, settings=parts.settings, holds=parts.holds
        )

    def ready(url: str) -> None:
        if quiet:
            click.echo(url)
            return
        click.echo(f"underspend listens on {url} → {settings.upstream.anthropic}")
        click.echo(f"  dashboard    {url}/_/")
        click.echo(f"  Claude Code  ANTHROPIC_BASE_URL={url} claude      (or once for all: underspend on)")
        click.echo(f"  ledger       {settings.ledger.url.removeprefix('sqlite:///')}")
        click.echo("  Ctrl-C stops it; calls in flight may finish.")

    serve(settings, dashboard, ready, alerts=alerts)


def alerts(parts: Parts) -> AbstractContextManager[Deliveries]:
    """Deliveries of alerts, as the settings say where to; asked for only where they say anything of alerts."""
    from underspend.config.alerts import AlertSettings
    from underspend.integrations.alerts.opening import open_alerts
    from underspend.reports.periods import zone
    from underspend.reports.spend_alerts import spend_alerts

    settings, status = parts.settings, parts.status
    said = settings.alerts or AlertSettings()
    tz, known = zone(settings.report.timezone or None), dict[date, str]()
    return open_alerts(
        said,
        settings.paths.data,
        status.clock,
        environ=os.environ,
        on_fault=status.fault,
        look=lambda now: spend_alerts(parts.engine, now, said.trends, tz, known=known),
    )
