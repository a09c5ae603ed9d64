"""`underspend meter`: what a raw reply cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from underspend.cli.output import write_json
from underspend.cli.reading import now
from underspend.config import load
from underspend.core.errors import MeterError
from underspend.core.money import Money
from underspend.core.reply import Bill
from underspend.core.usage import Metered, Unit
from underspend.formats.meter import meter
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import cost
from underspend.reports.periods import parse, zone
from underspend.reports.shapes import usage_shape, usd

_STDIN = "-"


@click.command("meter", short_help="What a raw reply cost: JSON or a stream, from a file or standard input.")
@click.argument("file", default=_STDIN)
@click.option(
    "--at",
    metavar="DATE",
    default="now",
    show_default=True,
    help="When the call was made; UTC unless it says otherwise.",
)
@click.option("--model", metavar="ID", help="Price it as this model, whatever the reply names.")
@click.option("--provider", metavar="NAME", help="Who replied, where the body does not tell.")
@click.option("--batch", is_flag=True, help="It came through a batch API.")
def command(file: str, at: str, model: str | None, provider: str | None, *, batch: bool) -> None:
    """The exact bill of a reply body, as JSON.

    Reads Anthropic, OpenAI-style and Gemini replies, whole or streamed. `cost_usd` is exact to the pico-dollar, and
    null where a price is not known.
    """
    settings = load()
    try:
        instant = parse(at, now=now(), tz=zone("UTC"))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    body, source = _body(file)
    metered = meter(body, source=source, provider=provider)
    prices = catalogue().with_overrides(settings.prices)
    bill = cost(metered, at=instant, catalogue=prices, batch=batch, model=model)
    write_json(shape(metered, bill, model=model))


def _body(file: str) -> tuple[bytes, str]:
    if file == _STDIN:
        return sys.stdin.buffer.read(), "the standard input"
    try:
        return Path(file).read_bytes(), file
    except OSError as error:
        raise MeterError(source=file, problem=error.strerror or str(error)) from error


def shape(metered: Metered, bill: Bill, *, model: str | None) -> dict[str, Any]:
    """What the command prints: the bill's totals and, per unit, usage and cost. Unpriced costs are null."""
    return {
        "model": model or metered.model,
        "usage": usage_shape(metered.usage),
        "cost_usd": usd(bill.total) if bill.priced else None,
        "evidence": bill.evidence.value,
        "notes": list(bill.notes),
        "units": [_unit(index, unit, metered, bill, model) for index, unit in enumerate(metered.units)],
        "extras": [{"kind": kind, "cost_usd": usd(amount)} for kind, amount in bill.extras],
        "unpriced": list(bill.unpriced),
    }


def _unit(index: int, unit: Unit, metered: Metered, bill: Bill, model: str | None) -> dict[str, Any]:
    own = unit.model or metered.model
    name = model if model is not None and own == metered.model else own
    return {
        "kind": unit.kind,
        "model": name,
        "usage": usage_shape(unit.usage),
        "billed": unit.billed and not metered.refused_free,
        "cost_usd": usd(_amount(index, unit, bill)),
    }


def _amount(index: int, unit: Unit, bill: Bill) -> Money | None:
    """The unit's dollars; None where some of its tokens have no line, which is how a bill leaves out the unpriced."""
    lines = [line for line in bill.lines if line.unit == index]
    tokens = unit.usage.prompt + unit.usage.output
    if bill.unpriced and sum(line.tokens for line in lines) < tokens:
        return None
    return sum(line.amount for line in lines)
