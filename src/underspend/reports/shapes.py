"""Reports as JSON and CSV: the shapes that `--json`, the web's API and exports share.

Dollars are JSON numbers with every digit down to the pico-dollar; times are ISO 8601 in UTC; what is not known is null.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

import msgspec

from underspend.core.money import Money, to_usd
from underspend.core.usage import Lane, Usage
from underspend.reports.anatomy import Anatomy
from underspend.reports.entry import Entry
from underspend.reports.explain import Explained
from underspend.reports.periods import clock_time
from underspend.reports.spend import Spend
from underspend.reports.sums import COST_LANES, Sums
from underspend.reports.top import Session

Shape = dict[str, Any]


def dumps(shape: object, *, indent: int = 0) -> bytes:
    """JSON text; with `indent` laid out for reading."""
    raw = msgspec.json.encode(_plain(shape))
    return msgspec.json.format(raw, indent=indent) if indent else raw


def _plain(value: object) -> object:
    """Decimals as plain number literals: neither a string nor a float could be trusted to keep every digit."""
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode())
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def as_csv(shapes: Iterable[Mapping[str, Any]]) -> str:
    """A header and one line per shape; nested tables become `outer_inner` columns, lists become `a; b`."""
    rows = [dict(_flat(shape)) for shape in shapes]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _flat(shape: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, value in shape.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}_")
        elif isinstance(value, list | tuple):
            yield prefix + key, "; ".join(map(str, value))
        else:
            yield prefix + key, _cell(value)


def _cell(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    # A spreadsheet would run a text that looks like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def usd(amount: Money | None) -> Decimal | None:
    """The exact dollars; None stays None."""
    return None if amount is None else to_usd(amount)


def time_of(at: int | None) -> str | None:
    """An instant in ISO 8601, UTC."""
    return None if at is None else clock_time(at, UTC).isoformat().replace("+00:00", "Z")


def usage_shape(usage: Usage) -> Shape:
    """Tokens by lane, named as in the bill."""
    return {f"{lane.value}_tokens": usage.lane(lane) for lane in Lane}


def sums_shape(sums: Sums) -> Shape:
    """Calls, the money columns, tokens and dollars by lane, evidence."""
    return {
        "calls": sums.calls,
        "paid_usd": usd(sums.paid),
        "without_us_usd": usd(sums.without_us),
        "saved_usd": usd(sums.saved),
        "plan_usd": usd(sums.plan),
        "unpriced_calls": sums.unpriced,
        "estimated_calls": sums.estimated,
        "failed_calls": sums.failed,
        "answered_calls": sums.answered,
        "answered_without_us_usd": usd(sums.spared),
        "web_searches": sums.web_searches,
        "thinking_tokens": sums.thinking,
        "tokens": usage_shape(sums.tokens),
        "usd": {lane: usd(sums.lanes.get(lane, 0)) for lane in COST_LANES},
        "evidence_usd": {name: usd(amount) for name, amount in sums.evidence.items()},
    }


def spend_shape(report: Spend) -> Shape:
    """A grouped report: `rows` carry their group under the name of what they are grouped by."""
    return {
        "by": report.by.value,
        "timezone": report.zone,
        "rows": [{report.by.value: row.key, **sums_shape(row.sums)} for row in report.rows],
        "total": sums_shape(report.total),
        "unpriced": [
            {"model": each.model, "calls": each.calls, "tokens": usage_shape(each.tokens)} for each in report.unpriced
        ],
    }


def entry_shape(call: Entry) -> Shape:
    """A call as lists show it; `paid_usd` is null where nothing of it has a price."""
    unknown = bool(call.unpriced) and not call.paid
    return {
        "id": call.id,
        "started_at": time_of(call.started_at),
        "ended_at": time_of(call.ended_at),
        "state": call.state,
        "outcome": call.outcome,
        "status": call.status,
        "endpoint": call.endpoint,
        "provider": call.provider,
        "model": call.model,
        "project": call.project,
        "session": call.session,
        "role": call.role,
        "agent": call.agent,
        "agent_type": call.agent_type,
        "billing": call.billing,
        "evidence": call.evidence,
        "unpriced": call.unpriced,
        "paid_usd": None if unknown else usd(call.paid),
        "without_us_usd": None if unknown else usd(call.without_us),
        "saved_usd": None if unknown else usd(call.saved),
        "tokens": usage_shape(call.tokens),
        "first_byte_us": call.first_byte_us,
        "duration_us": call.duration_us,
    }


def session_shape(session: Session) -> Shape:
    """A session with its sums."""
    return {
        "session": session.session,
        "project": session.project,
        "first_at": time_of(session.first_at),
        "last_at": time_of(session.last_at),
        "models": list(session.models),
        **sums_shape(session.sums),
    }


def explained_shape(found: Explained) -> Shape:
    """A call with its prompt, bill and decisions."""
    return {
        **entry_shape(found.entry),
        "facts": {name: value for name, value in found.facts.items() if not name.endswith("_pico")},
        "prompt": None if found.anatomy is None else _anatomy_shape(found.anatomy),
        "bill": [
            {
                "unit": each.unit,
                "kind": each.kind,
                "model": each.model,
                "lane": each.lane,
                "tokens": each.tokens,
                "usd_per_token": usd(each.rate),
                "usd": usd(each.amount),
            }
            for each in found.charges
        ],
        "extra_usd": usd(found.extra),
        "decisions": [
            {
                "strategy": each.strategy,
                "edit": each.edit,
                "detail": each.detail,
                "why": each.why,
                "applied": each.applied,
                "before_usd": usd(each.before),
                "after_usd": usd(each.after),
            }
            for each in found.choices
        ],
        "effects": [{"strategy": strategy, "saved_usd": usd(amount)} for strategy, amount in found.effects],
        "notes": list(found.notes),
        "how_we_know": found.evidence,
    }


def _anatomy_shape(prompt: Anatomy) -> Shape:
    return {
        "tokens": prompt.total,
        "cached_blocks": prompt.cached_until,
        "blocks": [
            {
                "section": block.piece.section,
                "kind": block.piece.kind,
                "label": block.piece.label,
                "bytes": block.piece.size,
                "estimated_tokens": block.piece.estimate,
                "tokens": block.tokens,
                "lane": block.lane.value if block.lane else None,
                "breakpoint": block.piece.breakpoint,
            }
            for block in prompt.blocks
        ],
    }
