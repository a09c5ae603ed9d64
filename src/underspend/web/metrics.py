"""`/_/metrics`: the ledger and the gateway as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from underspend.core.money import to_usd
from underspend.core.usage import Lane
from underspend.reports.spend import By, Row, spend
from underspend.web.http import Request, Response
from underspend.web.site import Site

_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], str]


async def metrics(site: Site, _: Request) -> Response:
    """Counters over the whole ledger by model, and gauges of this process."""
    report = await site.read(spend, by=By.MODEL)
    body = "".join([*_ledger(report.rows), *_gateway(site.status.snapshot())])
    return Response(body=body.encode(), content_type=_TYPE)


def _ledger(rows: Iterable[Row]) -> list[str]:
    models = [({"model": row.key or ""}, row.sums) for row in rows]
    lanes = [({**labels, "lane": lane.value}, str(sums.tokens.lane(lane))) for labels, sums in models for lane in Lane]
    return [
        _family("calls_total", "counter", "Calls settled.", [(at, str(sums.calls)) for at, sums in models]),
        _family("failed_calls_total", "counter", "Calls that failed.", [(at, str(sums.failed)) for at, sums in models]),
        _family(
            "unpriced_calls_total",
            "counter",
            "Calls without a known price, missing from the dollars.",
            [(at, str(sums.unpriced)) for at, sums in models],
        ),
        _family(
            "cost_dollars_total", "counter", "Dollars billed.", [(at, f"{to_usd(sums.paid):f}") for at, sums in models]
        ),
        _family(
            "without_us_dollars_total",
            "counter",
            "Dollars the same calls would have cost without Underspend.",
            [(at, f"{to_usd(sums.without_us):f}") for at, sums in models],
        ),
        _family("tokens_total", "counter", "Tokens by lane of the bill.", lanes),
    ]


def _gateway(status: dict[str, Any]) -> list[str]:
    faults: dict[str, int] = {}
    for fault in status.get("faults") or ():
        faults[fault["component"]] = faults.get(fault["component"], 0) + fault["count"]
    latency = status.get("latency") or {}
    overhead = [
        ({"quantile": quantile}, f"{latency[name] / 1e6:.6f}")
        for quantile, name in (("0.5", "overhead_p50_us"), ("0.99", "overhead_p99_us"))
        if latency.get(name) is not None
    ]
    ledger = status.get("ledger") or {}
    return [
        _family("overhead_seconds", "gauge", "Time added before a call is forwarded.", overhead),
        _family(
            "faults_total",
            "counter",
            "Faults of our own that calls went on in spite of.",
            [({"component": name}, str(count)) for name, count in faults.items()],
        ),
        _family(
            "alerts_total",
            "counter",
            "Alerts by place and what became of them.",
            [
                ({"place": place["name"], "state": state}, str(place[state]))
                for place in (status.get("alerts") or {}).get("places") or ()
                for state in ("sent", "failed", "dropped")
            ],
        ),
        _family("pauses", "gauge", "Pauses in force.", [({}, str(len(status.get("pauses") or ())))]),
        _family("in_flight", "gauge", "Calls under way.", [({}, str(status.get("in_flight") or 0))]),
        _family("ledger_waiting", "gauge", "Records not yet in the ledger.", [({}, str(ledger.get("waiting") or 0))]),
        _family("uptime_seconds", "gauge", "Since the gateway started.", [({}, str(status.get("uptime_s") or 0))]),
    ]


def _family(name: str, kind: str, says: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP underspend_{name} {says}", f"# TYPE underspend_{name} {kind}"]
    lines += [f"underspend_{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
