"""The figures of a run as a page: medians over rounds, and ratios between targets of the same run."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from targets import TARGETS

Result = dict[str, Any]
OURS, FLOOR, PEERS = "underspend", "nginx", ("litellm-pass", "litellm")
_GOALS = {"4k": 1.0, "1m": 5.0}
_CPU_GOAL, _IDLE_GOAL, _START_GOAL = 10, 80, 0.6
_MICRO = 1_000


def markdown(result: Result) -> str:
    """The whole page."""
    parts = (_intro(result), _goals(result), *_tables(result), _memory(result), _proof(result), _method(result))
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(result: Result) -> str:
    about = result["about"]
    versions = "; ".join(f"{TARGETS[name].title} {version}" for name, version in result["versions"].items())
    skipped = "".join(f"\n\nNot measured: {name} ({why})." for name, why in result["skipped"].items())
    foreign = sorted(
        one["foreign_cpu"] for cell in result["cells"].values() for rounds in cell.values() for one in rounds
    )
    quiet = f"{100 * median(foreign):.0f} % (median; 90th percentile {100 * foreign[len(foreign) * 9 // 10]:.0f} %)"
    machine = (
        f"{about['cpu']}, {about['cpus']} CPUs, {about['memory_gb']} GB, {about['system']}, Python {about['python']}"
    )
    return f"""# What the gateway costs

Written by `make bench` on {about["date"]}. One run, all targets interleaved, Underspend **with its accounting on**:
every call's intent is committed to the ledger before it is forwarded, its bill and its blocks after.

- **Machine:** {machine}.
- **Versions:** {versions}.
- **Run:** {about["rounds"]} rounds of {about["seconds"]} s per target and cell; every figure is the median over rounds.
- **Noise:** other programs took {quiet} of the busier of the two CPUs during the measurements that count.{skipped}

Wall times move with the machine; compare machines by the ratios to nginx and LiteLLM of the same run."""


# ---- figures


def _median(result: Result, cell: str, target: str, field: str) -> float | None:
    found = [
        one[field] for one in result["cells"].get(cell, {}).get(target, []) if one.get("answered") and field in one
    ]
    return median(found) if found else None


def _added(field: str) -> Callable[[Result, str, str], float | None]:
    """What a target adds to the same figure taken without any gateway in the same round, in ms."""

    def added(result: Result, cell: str, target: str) -> float | None:
        rounds = result["cells"].get(cell, {})
        pairs = zip(rounds.get(target, []), rounds.get("direct", []), strict=False)
        found = [(one[field] - bare[field]) / _MICRO for one, bare in pairs if one.get("answered")]
        return median(found) if found else None

    return added


def _rate(result: Result, cell: str, target: str) -> float | None:
    rounds = result["cells"].get(cell, {}).get(target, [])
    found = [one["answered"] / one["seconds"] for one in rounds if one.get("answered")]
    return median(found) if found else None


def _cpu(result: Result, cell: str, target: str) -> float | None:
    return _median(result, cell, target, "cpu_ms")


# ---- tables


def _table(title: str, note: str, result: Result, cells: list[str], figure: Callable[..., float | None]) -> str:
    """One row per target, one column per cell; in brackets the ratio to nginx."""
    cells = [cell for cell in cells if cell in result["cells"]]
    if not cells:
        return ""
    lines = [f"## {title}\n\n{note}\n", f"| | {' | '.join(cells)} |", "|---|" + "---:|" * len(cells)]
    for target in result["versions"]:
        values = [(figure(result, cell, target), figure(result, cell, FLOOR)) for cell in cells]
        shown = " | ".join(_shown(value, floor, own=target == FLOOR) for value, floor in values)
        name = TARGETS[target].title
        lines.append(f"| {f'**{name}**' if target == OURS else name} | {shown} |")
    return "\n".join(lines)


def _shown(value: float | None, floor: float | None, *, own: bool) -> str:
    if value is None:
        return "failed"
    if own or not floor or floor <= 0:
        return _digits(value)
    return f"{_digits(value)} ({_digits(value / floor)}×)"


def _digits(value: float) -> str:
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"  # noqa: PLR2004


def _tables(result: Result) -> list[str]:
    sizes = ("4k", "200k", "1m")
    one = [f"{size}-{reply}@1" for reply in ("json", "sse") for size in sizes]
    streams = [f"{size}-sse@1" for size in sizes]
    many = [f"{size}-{reply}@32" for reply in ("json", "sse") for size in sizes]
    direct = ", ".join(
        f"{cell} {value / _MICRO:.3f}" for cell in one if (value := _median(result, cell, "direct", "total_p50"))
    )
    return [
        _table(
            "Added latency, p50",
            f"Milliseconds to the last byte of the reply, over none at all (direct: {direct}); × nginx in brackets.",
            result,
            one,
            _added("total_p50"),
        ),
        _table("Added latency, p99", "The same at the 99th percentile.", result, one, _added("total_p99")),
        _table(
            "Added time to first byte, p50",
            "Milliseconds to the first byte of a stream's body, over none at all.",
            result,
            streams,
            _added("ttfb_p50"),
        ),
        _table("Requests per second, 32 connections", "On one CPU.", result, [*many, "4k-paced@32"], _rate),
        _table("CPU per request, 1 connection", "Milliseconds, all processes and threads.", result, one, _cpu),
        _table(
            "CPU per request, 32 connections",
            "Milliseconds. `paced` is a stream as a provider sends it: 65 events, 1 ms apart.",
            result,
            [*many, "4k-paced@32"],
            _cpu,
        ),
    ]


def _memory(result: Result) -> str:
    lines = [
        "## Memory and start-up\n",
        "PSS of the process tree. Start-up is the time from the command to the first reply passed on.\n",
        "| | idle MB | most MB in the run | start-up s | on a new home s |",
        "|---|---:|---:|---:|---:|",
    ]
    for target, start in result["startup"].items():
        used = result["memory"].get(target, {"idle": 0.0, "peak": 0.0})
        again = f"{median(start['again']):.2f}" if start["again"] else "–"
        new = f"{start['new'][0]:.2f}" if start["new"] else "–"
        lines.append(f"| {TARGETS[target].title} | {used['idle']:.0f} | {used['peak']:.0f} | {again} | {new} |")
    return "\n".join(lines)


# ---- what was aimed at, and the accounting-on proof


def _goals(result: Result) -> str:
    if OURS not in result["versions"]:
        return ""
    rows = []
    for size, goal in _GOALS.items():
        value = _added("total_p50")(result, f"{size}-json@1", OURS)
        rows.append((f"added p50, {size} JSON, 1 connection", f"≤ {goal:.0f} ms", value, "ms", _most(value, goal)))
    for cell in result["cells"]:
        value = _less_than_peers(result, cell)
        met = None if value is None else value >= _CPU_GOAL
        rows.append((f"CPU below LiteLLM's better route, {cell}", f"≥ {_CPU_GOAL}×", value, "×", met))
    idle = result["memory"].get(OURS, {}).get("idle")
    rows.append(("idle memory", f"≤ {_IDLE_GOAL} MB", idle, "MB", _most(idle, _IDLE_GOAL)))
    starts = result["startup"].get(OURS, {}).get("again")
    first = median(starts) if starts else None
    rows.append(("first reply after start", f"≤ {_START_GOAL} s", first, "s", _most(first, _START_GOAL)))
    lines = ["## Goals\n", "| | goal | measured | |", "|---|---:|---:|---|"]
    for name, wanted, value, unit, met in rows:
        if value is not None:
            lines.append(f"| {name} | {wanted} | {_digits(value)} {unit} | {'met' if met else '**missed**'} |")
    return "\n".join(lines)


def _most(value: float | None, goal: float) -> bool | None:
    return None if value is None else value <= goal


def _less_than_peers(result: Result, cell: str) -> float | None:
    ours = _cpu(result, cell, OURS)
    theirs = [value for peer in PEERS if (value := _cpu(result, cell, peer)) is not None]
    return min(theirs) / ours if ours and theirs else None


def _proof(result: Result) -> str:
    lines = [
        "## Correctness in the same run\n",
        "The load compares every reply with the provider's, byte by byte, and makes every request's last block new.\n",
        "| | requests sent | reached the provider | replies altered | failed |",
        "|---|---:|---:|---:|---:|",
    ]
    for target, counts in result.get("counts", {}).items():
        sums = " | ".join(f"{counts[name]:,}" for name in ("sent", "forwarded", "altered", "failed"))
        lines.append(f"| {TARGETS[target].title} | {sums} |")
    if books := result.get("ledger"):
        lines.append(_books(books))
    return "\n".join(lines)


def _books(books: Result) -> str:
    whole = books["calls"] == books["settled"] == books["sent"]
    exact = books["output_tokens"][0] == books["output_tokens"][1]
    exact = exact and books["cache_read_tokens"][0] == books["cache_read_tokens"][1] and books["distinct_costs"] == 1
    equal = "equal" if whole else "**NOT EQUAL**"
    agree = "exactly what the provider reported" if exact else "**NOT what the provider reported**"
    size = books["bytes"] / books["calls"] / 1024
    return f"""
**The ledger after the run:** {books["calls"]:,} calls, {books["settled"]:,} of them settled, for {books["sent"]:,}
requests sent: {equal}. Tokens and cost per call are {agree} ({books["output_tokens"][0]:,} output and
{books["cache_read_tokens"][0]:,} cache-read tokens, {books["cost_pico"] / 1e12:,.2f} dollars at list price). The ledger
takes {size:.1f} KB per call."""


def _method(result: Result) -> str:
    blocks = ", ".join(f"{size} {count}" for size, count in result["about"]["blocks"].items())
    return f"""## Method

- One stand-in provider and one load generator (`bench/mock.c`, `bench/load.c`: epoll, keep-alive) on CPU 1; the gateway
  under test, with all of its processes and threads, on CPU 0. Loopback, plain HTTP both ways, no TLS.
- Closed loop: each connection sends its next request when the last reply is whole. Per round and cell every target is
  loaded once, direct (no gateway) included; every other round in reverse order. *Added* is over the direct figure of
  the same round.
- Requests are Messages bodies shaped like Claude Code's: tools, system, a tool loop. All but the last block
  repeat, as they do in a conversation; the last is new in every request. Content blocks: {blocks}.
- Replies: 1.4 KB of JSON, or 9 KB of 65 server-sent events, one write() each.
- CPU is the scheduler's own account of every thread of the process tree, read before a load and 0.1 s after it, so work
  put off until after the reply (ledger, logs) counts.
- nginx: one worker, keep-alive both ways, `proxy_buffering off`. It reads nothing and keeps no account: the floor.
- LiteLLM: one worker, `LITELLM_MODE=PRODUCTION`, no database, no callbacks, telemetry off, local price map.
- Portkey: Node, `NODE_ENV=production`, no cache, no retries. Its streams answer 500 on current Node until one line is
  mended (`bench/targets.py` says which); the figures are with it mended. The nearly constant time its streams take may
  come of that (far more than their CPU accounts for): do not quote it against Portkey. Its CPU figures are fair.
- A measurement during which other programs took more than 15 % of one of the two CPUs is repeated (`--tries`); of the
  tries the quietest counts, whatever it measured.
- p99 at one connection catches every pause of the machine as well as the gateway's own: read it beside the noise above.

## Reproduce

`make bench` (ten minutes). It installs the peers under `bench/.cache` and writes this page; `--json FILE` keeps every
round. Part of it: `.venv/bin/python bench/gateway.py --targets nginx,underspend --cells 4k-json@1,1m-json@1`.

## Not measured

Real networks and TLS; more than one core or one worker; PostgreSQL and Redis; strategies that edit the body; LiteLLM
with a database (its own accounting); memory over days; providers other than Anthropic."""
