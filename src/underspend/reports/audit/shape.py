"""The audit as JSON: the shape that `docs/audit-json.md` promises. Dollars are strings with every digit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from underspend.audit.activity import Activity, Block
from underspend.audit.explain_diff import Explained
from underspend.audit.findings import Found, Ranked
from underspend.audit.questions import Questions, Route
from underspend.audit.quota import by_block, newest
from underspend.audit.reconcile import Cause, Reconciled
from underspend.audit.totals import Totals
from underspend.audit.trend import Forecast, Trend
from underspend.audit.whole import Audit
from underspend.core.money import Money, to_usd
from underspend.core.usage import Lane
from underspend.reports.shapes import time_of

if TYPE_CHECKING:
    from underspend.audit.gateway_side import BothSides, Only
    from underspend.core.quota import Share

Shape = dict[str, Any]
VERSION = 1


def audit_shape(report: Audit) -> Shape:
    """The whole audit."""
    return {
        "schema": VERSION,
        "generated_at": time_of(report.now),
        "period": period_shape(report),
        "paying": {
            "plan": report.paying.plan.value,
            "how_known": report.paying.why,
            "api_equivalent": report.paying.plan.is_subscription,
            "label": report.paying.label,
        },
        "totals": totals_shape(report.totals),
        "groups": {
            name: {key: totals_shape(each) for key, each in group.items()} for name, group in report.groups.items()
        },
        "findings": [finding_shape(each) for each in report.found.ranked],
        "findings_total": _findings_total(report.found),
        "questions": questions_shape(report.questions),
        "timeline": {"day": report.day, "activities": [_activity(each) for each in report.timeline]},
        "blocks": _blocks(report),
        "quota": {window.value: share_shape(share) for window, share in newest(report.quota).items()},
        "trend": _trend(report.trend),
        "forecast": _forecast(report.forecast),
        "reconciliation": [_reconciled(each) for each in report.reconciled],
        "gateway": gateway_shape(report.gateway) if report.gateway else None,
        "not_in_totals": [_cause(report.cut)] if report.cut else [],
        "files": report.files,
        "skipped": [{"file": each.place.file, "line": each.place.line, "why": each.why} for each in report.skipped],
        "unknown_entries": dict(report.unknown),
    }


def period_shape(report: Audit) -> Shape:
    """When the replies were, and how many days had some."""
    zone = report.days.zone
    return {
        "first_at": time_of(report.first_at) if report.totals.requests else None,
        "last_at": time_of(report.last_at) if report.totals.requests else None,
        "days": report.pace.span,
        "active_days": report.pace.active,
        "active_days_per_month": report.pace.month_days if report.totals.requests else 0,
        "timezone": "local" if zone is None else str(zone),
    }


def totals_shape(totals: Totals) -> Shape:
    """One group's figures; every group has exactly these."""
    return {
        "requests": totals.requests,
        **{f"{lane.value}_tokens": totals.tokens[lane.value] for lane in Lane},
        "output_tokens_estimated": totals.output_estimated,
        "cost_usd": usd(totals.cost),
        "cost_usd_estimated": usd(totals.unseen),
        "cost_usd_by_lane": {name: usd(amount) for name, amount in totals.lanes.items()},
        "thinking_tokens": totals.thinking,
        "web_searches": totals.web_searches,
        "nested_requests": totals.nested,
        "nested_cost_usd": usd(totals.nested_cost),
        "unpriced_requests": totals.unpriced,
    }


def finding_shape(ranked: Ranked) -> Shape:
    """One finding with the rows behind it."""
    finding = ranked.finding
    return {
        "id": finding.id,
        "urgency": finding.urgency.value,
        "title": finding.title,
        "usd_per_month": usd(ranked.per_month),
        "usd_in_period": usd(ranked.in_period),
        "usd_before_overlap": usd(finding.amount),
        "confidence": finding.confidence.value,
        "evidence": finding.evidence.value,
        "why": finding.why,
        "fix": finding.fix,
        "evidence_rows": [dict(row) for row in finding.rows],
    }


def _findings_total(found: Found) -> Shape:
    return {
        "usd_in_period": usd(found.in_period),
        "usd_per_month": usd(found.per_month),
        "faults": [{"advisor": each.advisor, "problem": each.problem} for each in found.faults],
    }


def questions_shape(asked: Questions) -> Shape:
    """The four questions of a practical audit."""
    return {
        "routes_by_prompt_tokens": [_route(each) for each in asked.routes],
        "routes_with_one_model": [_route(each) for each in asked.one_model],
        "answer_lengths": [
            {
                "model": each.model,
                "requests": each.calls,
                "mean_output_tokens": each.mean,
                "median_output_tokens": each.median,
                "p95_output_tokens": each.most,
                "cost_usd": usd(each.cost),
            }
            for each in asked.answers
        ],
        "batchable": {
            "requests": asked.waiting.calls,
            "cost_usd": usd(asked.waiting.cost),
            "cost_usd_at_batch_prices": usd(asked.waiting.at_batch_prices),
        },
    }


def _route(route: Route) -> Shape:
    return {
        "project": route.project,
        "agent": route.agent,
        "requests": route.calls,
        "prompt_tokens": route.prompt_tokens,
        "cached_tokens": route.cached_tokens,
        "models": list(route.models),
        "cost_usd": usd(route.cost),
        "simple_operations_usd": usd(route.light),
    }


def _activity(each: Activity) -> Shape:
    return {
        "since": time_of(each.since),
        "until": time_of(each.until),
        "activity": each.what,
        "project": each.project,
        "requests": each.calls,
        "models": list(each.models),
        "cost_usd": usd(each.cost),
    }


def _blocks(report: Audit) -> list[Shape]:
    known = by_block(report.blocks, report.quota)
    return [_block(each, known.get(each.since)) for each in report.blocks]


def share_shape(share: Share) -> Shape:
    """A reading of a plan's limit: who was told what, and when."""
    return {
        "used_percent": share.used_permille / 10,
        "at": time_of(share.at),
        "resets_at": time_of(share.resets_at),
        "source": share.source,
    }


def _block(each: Block, share: Share | None) -> Shape:
    return {
        "since": time_of(each.since),
        "until": time_of(each.until),
        "last_at": time_of(each.last),
        "requests": each.calls,
        "tokens": each.tokens,
        "cost_usd": usd(each.cost),
        "quota": share_shape(share) if share else None,
    }


def _trend(found: Trend | None) -> Shape | None:
    if found is None:
        return None
    return {
        "week": found.week.isoformat(),
        "partial": found.partial,
        "cost_usd": usd(found.now),
        "cost_usd_week_before": usd(found.before),
        "rose": found.rose,
        "causes": [{"cause": each.what, "cost_usd": usd(each.amount)} for each in found.causes],
    }


def _forecast(found: Forecast | None) -> Shape | None:
    if found is None:
        return None
    return {
        "month": found.month,
        "cost_usd_so_far": usd(found.so_far),
        "cost_usd_expected": usd(found.expected),
        "days_left": found.days_left,
    }


def _reconciled(each: Reconciled) -> Shape:
    return {
        "session": each.session,
        "client_usd": usd(each.client),
        "transcripts_usd": usd(each.transcripts),
        "difference_usd": usd(each.client - each.transcripts),
        "causes": [_cause(cause) for cause in each.causes],
    }


def gateway_shape(sides: BothSides) -> Shape:
    """The gateway's ledger of the same time against the transcripts; each reply is on one line."""
    return {
        "since": time_of(sides.since),
        "in_both": {
            "requests": sides.both,
            "transcripts_usd": usd(sides.transcripts),
            "gateway_usd": usd(sides.gateway),
        },
        "only_in_transcripts": [_only(each) for each in (sides.past, sides.before)],
        "only_in_gateway": [_only(each) for each in sides.only_gateway],
    }


def _only(each: Only) -> Shape:
    return {
        "what": each.what,
        "requests": each.calls,
        "cost_usd": usd(each.cost),
        "cost_usd_estimated": usd(each.estimated),
    }


def _cause(cause: Cause) -> Shape:
    return {
        "cause": cause.what,
        "cost_usd": usd(cause.amount),
        "cost_usd_at_most": usd(cause.at_most or cause.amount),
        "requests": cause.calls,
        "counted_by_client": not cause.beyond,
        "tokens": dict(cause.tokens),
    }


def explained_shape(found: Explained) -> Shape:
    """The comparison with a ccusage export."""
    return {
        "compared_with": f"ccusage {found.kind}",
        "cost_usd": usd(found.ours),
        "ccusage_cost_usd": usd(found.theirs),
        "difference_usd": usd(found.ours - found.theirs),
        "residual_usd": usd(found.residual),
        "causes": [{"cause": each.cause, "cost_usd": usd(each.amount), "rows": each.rows} for each in found.causes],
        "token_differences": dict(found.tokens),
    }


def usd(amount: Money) -> str:
    """Exact dollars as text: "43.2005358", "0", "-0.5"."""
    return f"{to_usd(amount):f}"


def group_rows(report: Audit) -> list[Mapping[str, Any]]:
    """One flat row for each group and one for the totals, for CSV."""
    rows: list[Mapping[str, Any]] = [{"group": "total", "key": "", **totals_shape(report.totals)}]
    for name, group in report.groups.items():
        rows += [{"group": name.removeprefix("by_"), "key": key, **totals_shape(each)} for key, each in group.items()]
    return rows
