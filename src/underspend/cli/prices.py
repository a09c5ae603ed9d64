"""`underspend prices`: the price list in force at a date, with its sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from underspend.cli.output import QUIET, console, table, write_json
from underspend.cli.reading import now
from underspend.config import load
from underspend.core.errors import NotFoundError
from underspend.core.usage import Lane
from underspend.pricing.catalogue import Catalogue, catalogue, sheet
from underspend.pricing.normalise import PROVIDERS, provider_id
from underspend.pricing.table import Model, Rates, Row
from underspend.reports import figures
from underspend.reports.lanes import LANE_NAMES
from underspend.reports.periods import parse, zone
from underspend.reports.shapes import time_of, usd

_MTOK = 1_000_000


@click.command("prices", short_help="The price list, dated, with sources.")
@click.argument("model", required=False)
@click.option(
    "--at",
    metavar="DATE",
    default="now",
    show_default=True,
    help="The prices in force then; UTC unless it says otherwise.",
)
@click.option("--provider", metavar="NAME", help="Whose list [default: anthropic, or the one that has the model].")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(model: str | None, at: str, provider: str | None, *, as_json: bool) -> None:
    """Dollars per million tokens, by lane; your own prices in config.toml win over the listed ones."""
    settings = load()
    try:
        instant = parse(at, now=now(), tz=zone("UTC"))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    prices = catalogue().with_overrides(settings.prices)
    models, notes = _models(prices, model, provider)
    shapes = [_shape(each, instant) for each in models]
    if as_json:
        write_json({"at": time_of(instant), "usd_per": "million tokens", "models": shapes})
        return
    _show(models, shapes, instant, notes)


def _models(prices: Catalogue, model: str | None, provider: str | None) -> tuple[Sequence[Model], tuple[str, ...]]:
    if provider is not None and provider_id(provider) not in PROVIDERS:
        raise NotFoundError(kind="price list for", name=provider, mend=f"There are: {', '.join(PROVIDERS)}.")
    if model is None:
        return prices.models(provider=provider or PROVIDERS[0]), ()
    found = prices.resolve(model, provider=provider)
    if found is None:
        mend = f'It would be unpriced, never free; give it a price in config.toml under [prices."{model}"].'
        raise NotFoundError(kind="price for", name=model, mend=mend)
    return (found.model,), found.name.notes


def _row(model: Model, at: int) -> Row | None:
    return model.row(at)


def _shape(model: Model, at: int) -> dict[str, Any]:
    row = _row(model, at)
    home = sheet(model.provider) if model.provider in PROVIDERS else None
    source = (row.source if row else None) or model.source or (home.source if home else None)
    checked = (row.checked if row else None) or model.checked or (home.checked if home else None)
    rates = model.rates(at)
    return {
        "model": model.id,
        "provider": model.provider,
        "usd": {} if rates is None else _usd(rates),
        "tiers": [{"above_tokens": tier.above, "usd": _usd(tier.rates)} for tier in (row.tiers if row else ())],
        "since": row.since.isoformat() if row and row.since else None,
        "until": row.until.isoformat() if row and row.until else None,
        "variants": sorted(model.variants),
        "web_search_usd": usd(model.web_search),
        "retired_on": model.retired_on.isoformat() if model.retired_on else None,
        "source": source,
        "checked": checked.isoformat() if checked else None,
    }


def _usd(rates: Rates) -> dict[str, Any]:
    return {lane.value: usd(None if (rate := rates.lane(lane)) is None else rate * _MTOK) for lane in Lane}


def _show(models: Sequence[Model], shapes: Sequence[dict[str, Any]], at: int, notes: tuple[str, ...]) -> None:
    out = console()
    columns = [("model", "l"), *((LANE_NAMES[lane.value].removeprefix("cache "), "r") for lane in Lane)]
    columns.append(("checked", "l"))
    rows = []
    for model, shape in zip(models, shapes, strict=True):
        rows.append([model.id, *_cells(model.rates(at)), shape["checked"] or figures.NONE])
        row = _row(model, at)
        rows += [[f"  over {tier.above:,} tokens", *_cells(tier.rates), ""] for tier in (row.tiers if row else ())]
    out.print(table(columns, rows))
    out.print()
    out.print(f"US dollars per million tokens, in force at {figures.when(at, zone('UTC'))[:16]} UTC.", style=QUIET)
    for note in notes:
        out.print(f"note: {note}", style=QUIET)
    for source in dict.fromkeys(str(shape["source"]) for shape in shapes if shape["source"]):
        out.print(f"source: {source}", style=QUIET, soft_wrap=True)
    if len(models) == 1:
        _show_more(shapes[0])


def _show_more(shape: dict[str, Any]) -> None:
    out = console()
    if shape["since"] or shape["until"]:
        out.print(f"holds from {shape['since'] or 'the beginning'} until {shape['until'] or 'further notice'}")
    if shape["variants"]:
        out.print(f"other rates: {', '.join(shape['variants'])}")
    if shape["web_search_usd"] is not None:
        out.print(f"web search: ${shape['web_search_usd']:f} each")
    if shape["retired_on"]:
        out.print(f"retired on {shape['retired_on']}")


def _cells(rates: Rates | None) -> list[str]:
    if rates is None:
        return [figures.UNPRICED] * len(Lane)
    return [figures.NONE if (rate := rates.lane(lane)) is None else figures.exact(rate * _MTOK) for lane in Lane]
