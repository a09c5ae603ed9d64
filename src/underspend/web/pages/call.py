"""One call, explained."""

from __future__ import annotations

from urllib.parse import quote

from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.anatomy import Anatomy, Placed
from underspend.reports.entry import Entry
from underspend.reports.explain import Charge, Choice, Explained, explain
from underspend.reports.lanes import LANE_NAMES
from underspend.web.charts.prompt_bar import prompt_bar
from underspend.web.http import Request, Response
from underspend.web.site import Site
from underspend.web.stream import ending
from underspend.web.templating import render

_MOST, _ENDS = 100, 40
_MTOK = 1_000_000


async def call_page(site: Site, request: Request) -> Response:
    """The call named by the address: an id, a message id, a request id or the beginning of one."""
    found = await site.read(explain, request.below("calls/"))
    call = found.entry
    context = {
        "url": site.url,
        "id": call.id,
        "model": call.model or "no model",
        "paid": figures.paid(call),
        "exact": figures.exact(call.paid),
        "without_us": show(call.without_us),
        "saved": figures.saved(call.saved),
        "made_dearer": call.saved < 0,
        "touched": call.saved != 0,
        "estimated": call.guessed,
        "ending": ending(call),
        "how": found.evidence,
        "tokens": _tokens(call),
        "identity": _identity(found, site),
        "timings": _timings(found),
        "prompt": _prompt(found.anatomy) if found.anatomy and found.anatomy.blocks else None,
        "bill": [_charge(each) for each in found.charges],
        "extra": figures.exact(found.extra) if found.extra else None,
        "choices": [_choice(each) for each in found.choices],
        "notes": found.notes,
        "json": f"/_/api/calls/{call.id}",
    }
    return render("call.html", context)


def _tokens(call: Entry) -> str:
    return f"{figures.tokens(call.tokens.prompt)} tokens in, {figures.tokens(call.tokens.output)} out"


def _identity(found: Explained, site: Site) -> list[tuple[str, str, str | None]]:
    call, facts = found.entry, found.facts
    asked, served = facts.get("model_asked"), call.model
    session = f"/_/sessions/{quote(call.session, safe='')}" if call.session else None
    rows: list[tuple[str, str | None, str | None]] = [
        ("began", figures.when(call.started_at, site.tz), None),
        ("project", call.project, None),
        ("session", call.session, session),
        ("role", call.role, None),
        ("agent", " ".join(filter(None, (call.agent_type, call.agent))) or None, None),
        ("model asked", asked if asked != served else None, None),
        ("endpoint", f"{call.provider} {call.endpoint}", None),
        ("status", str(call.status) if call.status else None, None),
        ("stopped by", facts.get("stop_reason"), None),
        ("effort", facts.get("effort"), None),
        ("paid by", {"oauth": "a subscription", "api_key": "an API key"}.get(call.billing or ""), None),
        ("message id", facts.get("message_id"), None),
        ("request id", facts.get("request_id"), None),
    ]
    return [(name, value, href) for name, value, href in rows if value]


def _timings(found: Explained) -> list[tuple[str, str]]:
    rows = (
        ("in the gateway before it was forwarded", found.facts.get("overhead_us")),
        ("first byte of the reply", found.entry.first_byte_us),
        ("whole call", found.entry.duration_us),
    )
    return [(name, figures.length(value)) for name, value in rows if value is not None]


def _prompt(prompt: Anatomy) -> dict[str, object]:
    numbered = list(enumerate(prompt.blocks, 1))
    folded = len(numbered) - 2 * _ENDS if len(numbered) > _MOST else 0
    most = max(block.tokens for block in prompt.blocks)
    shown = numbered if not folded else numbered[:_ENDS] + numbered[-_ENDS:]
    return {
        "bar": prompt_bar(prompt),
        "known": prompt.usage is not None,
        "count": f"{len(numbered):,} block{'s' if len(numbered) != 1 else ''}",
        "total": figures.tokens(prompt.total),
        "folded": folded,
        "fold_after": _ENDS if folded else None,
        "blocks": [_block(number, block, most, prompt.cached_until) for number, block in shown],
    }


def _block(number: int, block: Placed, most: int, edge: int | None) -> dict[str, object]:
    lane = block.lane.value if block.lane else "unknown"
    return {
        "number": number,
        "section": block.piece.section,
        "kind": block.piece.kind,
        "label": block.piece.label,
        "size": f"{block.piece.size:,} B",
        "tokens": f"{block.tokens:,}",
        "lane": lane,
        "lane_name": LANE_NAMES.get(lane, "not known"),
        "breakpoint": block.piece.breakpoint,
        "width": f"{100 * block.tokens / (most or 1):.1f}",
        "edge": number == edge,
    }


def _charge(line: Charge) -> dict[str, str]:
    return {
        "unit": f"{line.unit + 1} · {line.kind}",
        "model": line.model,
        "lane": line.lane,
        "lane_name": LANE_NAMES.get(line.lane, line.lane),
        "tokens": f"{line.tokens:,}",
        "rate": f"{figures.exact(line.rate * _MTOK)} / MTok",
        "amount": figures.exact(line.amount),
    }


def _choice(choice: Choice) -> dict[str, object]:
    priced = choice.before is not None and choice.after is not None
    return {
        "strategy": choice.strategy,
        "edit": figures.edit(choice.edit, choice.detail),
        "why": choice.why,
        "state": "done" if choice.applied else "shadow: only noted",
        "before": show(choice.before) if choice.before is not None else figures.UNPRICED,
        "after": show(choice.after) if choice.after is not None else figures.UNPRICED,
        "saved": figures.saved((choice.before or 0) - (choice.after or 0)) if priced else figures.NONE,
    }
