"""`underspend explain`: one call, block by block and line by line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from underspend.cli.output import LOUD, QUIET, console, fit, table, write_json
from underspend.cli.reading import Reading, reading
from underspend.core import money
from underspend.reports import figures
from underspend.reports.anatomy import Anatomy, Placed
from underspend.reports.attempts import Attempt, attempts_of
from underspend.reports.explain import Charge, Choice, Explained, explain
from underspend.reports.lanes import LANE_NAMES
from underspend.reports.shapes import explained_shape

if TYPE_CHECKING:
    from rich.console import Console

_MOST, _ENDS = 30, 12
_MTOK = 1_000_000


@click.command("explain", short_help="One call: who, what the prompt was made of, every line of the bill.")
@click.argument("call")
@click.option("--all", "whole", is_flag=True, help="Show every block of a long prompt.")
@click.option("--timezone", metavar="ZONE", help="Zone of times [default: yours].")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(call: str, timezone: str | None, *, whole: bool, as_json: bool) -> None:
    """One call by its id, message id or request id; the beginning of one will do."""
    with reading(timezone) as ledger:
        found = explain(ledger.engine, call)
        attempts = attempts_of(ledger.engine, found.entry.id, found.facts.get("attempt_of"))
    if as_json:
        write_json({**explained_shape(found), "attempts": [asdict(each) for each in attempts]})
        return
    out = console()
    _show_head(out, found, ledger)
    if found.anatomy is not None and found.anatomy.blocks:
        _show_prompt(out, found.anatomy, whole=whole)
    _show_bill(out, found)
    _show_attempts(out, attempts, found.entry.id)
    if found.choices:
        _show_choices(out, found.choices)
    for strategy, amount in found.effects:
        out.print(f"{strategy}: {figures.saved(amount)} saved on this call, against a world without it")
    for note in found.notes:
        out.print(f"note: {note}", style=QUIET)


def _show_head(out: Console, found: Explained, ledger: Reading) -> None:
    call, facts = found.entry, found.facts
    out.print(f"{call.model or 'no model'}   {figures.paid(call)} paid", style="bold")
    if call.saved:
        out.print(f"without us {money.show(call.without_us)}, saved {figures.saved(call.saved)}")
    out.print(found.evidence, style=LOUD if call.unpriced else QUIET)
    out.print()
    times = f"first byte {figures.length(call.first_byte_us)}, whole call {figures.length(call.duration_us)}"
    if facts.get("overhead_us") is not None:
        times += f", {figures.length(facts['overhead_us'])} of it in the gateway"
    asked = facts.get("model_asked")
    rows = [
        ("call", call.id),
        ("began", figures.when(call.started_at, ledger.tz)),
        ("ended", " ".join(str(part) for part in (call.outcome or call.state, call.status) if part)),
        ("project", call.project),
        ("session", call.session),
        ("agent", " ".join(filter(None, (call.role, call.agent_type, call.agent))) or None),
        ("model asked", asked if asked != call.model else None),
        ("message id", facts.get("message_id")),
        ("request id", facts.get("request_id")),
        ("time", times),
    ]
    for name, value in rows:
        if value:
            out.print(f"{name:<12}{value}")
    out.print()


def _show_prompt(out: Console, prompt: Anatomy, *, whole: bool) -> None:
    columns = [("#", "r"), ("section", "l"), ("block", "l"), ("bytes", "r"), ("tokens", "r"), ("billed as", "l")]
    columns.append(("breakpoint", "l"))
    made = table(columns, ())
    numbered = list(enumerate(prompt.blocks, 1))
    folded = 0 if whole or len(numbered) <= _MOST else len(numbered) - 2 * _ENDS
    for number, block in numbered:
        if folded and number == _ENDS + 1:
            made.add_row("", "", f"… {folded} more: --all shows them")
        if not folded or number <= _ENDS or number > len(numbered) - _ENDS:
            made.add_row(*_block(number, block))
        if number == prompt.cached_until:
            made.add_row("", "", "─── cached until here ───", "", "", "", "", style=QUIET)
    out.print(made)
    out.print(_edge(prompt), style=QUIET)
    out.print()


def _block(number: int, block: Placed) -> list[str]:
    piece = block.piece
    lane = LANE_NAMES[block.lane.value] if block.lane else "not known"
    mark = f"◆ {piece.breakpoint}" if piece.breakpoint else ""
    name = fit(f"{piece.label} ({piece.kind})", 36)
    return [str(number), piece.section, name, f"{piece.size:,}", f"{block.tokens:,}", lane, mark]


def _edge(prompt: Anatomy) -> str:
    if prompt.usage is None:
        return f"About {figures.tokens(prompt.total)} tokens by local estimate; no usage was reported."
    read = prompt.usage.cache_read
    if not read:
        return f"{prompt.total:,} tokens, nothing of it read from the cache."
    share = figures.share(read, prompt.usage.prompt)
    first = "block" if prompt.cached_until == 1 else f"{prompt.cached_until} blocks"
    return (
        f"{prompt.total:,} tokens; the first {first}, {read:,} tokens ({share}), came "
        "from the cache.\nLane totals are the provider's; their split over blocks is by local estimate."
    )


def _show_bill(out: Console, found: Explained) -> None:
    columns = [("unit", "l"), ("model", "l"), ("lane", "l"), ("tokens", "r"), ("rate", "r"), ("amount", "r")]
    rows = [_charge(each) for each in found.charges]
    if found.extra:
        rows.append(["", "", LANE_NAMES["extra"], "", "", figures.exact(found.extra)])
    if not rows:
        out.print(f"Bill: {figures.UNPRICED if found.entry.unpriced else 'nothing was billed'}.")
        out.print()
        return
    paid = figures.exact(found.entry.paid) + (f" + {figures.UNPRICED}" if found.entry.unpriced else "")
    out.print(table(columns, rows, footer=["paid", "", "", "", "", paid]))
    out.print()


def _charge(line: Charge) -> list[str]:
    return [
        f"{line.unit + 1} {line.kind}",
        fit(line.model, 24),
        LANE_NAMES.get(line.lane, line.lane),
        f"{line.tokens:,}",
        f"{figures.exact(line.rate * _MTOK)}/MTok",
        figures.exact(line.amount),
    ]


def _show_attempts(out: Console, attempts: tuple[Attempt, ...], this: str) -> None:
    """Whom the call was sent to, where that was more than one."""
    for number, each in enumerate(attempts, 1):
        ended = " ".join(str(part) for part in (each.outcome, each.status) if part)
        mark = "  (this one)" if each.id == this else ""
        paid = money.show(each.paid)
        out.print(f"attempt {number}: {each.provider} {each.model or '?'} at {each.upstream}: {ended}, {paid}{mark}")
    if attempts:
        out.print()


def _show_choices(out: Console, choices: tuple[Choice, ...]) -> None:
    for each in choices:
        state = "did" if each.applied else "would (shadow)"
        out.print(f"{each.strategy} {state}: {figures.edit(each.edit, each.detail)}, because {each.why}")
        if each.before is not None and each.after is not None:
            saved = figures.saved(each.before - each.after)
            out.print(
                f"  estimated before the call: {money.show(each.before)} → {money.show(each.after)} (saved {saved})",
                style=QUIET,
            )
        for line in (each.detail or "").splitlines()[1:]:
            out.print(f"  {line}", style=QUIET, markup=False)
    out.print()
