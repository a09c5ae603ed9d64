"""The router on recorded outcomes, beside every baseline that was to be had.

    python bench/router.py --data DIR [--json] [--scores OUT.csv] [--quick] [--tracks tier,…]
        [--beside NAME=FILE]

DIR holds files of the shared formats (see its INDEX.md); what is not there is left out. What is measured is the
run-time code: `features.describe` classes a task, `Knowledge` learns from the outcomes of other folds and scores it.
`gain` is how much more of such tasks the dear model does, `score` the same with those that do not pay for it put last,
`per_dollar` the gain over what it costs more. `--quick` takes fewer resamples and splits. `--beside` adds a router to
the tables by its own scores: a file of lines such as `{"track": "tier", "item": "gsm-1", "score": 0.25}`, where more
means that the dear model is wanted more.

A single run's oracle is inflated by luck (two runs of the same model differ on 7 to 25 % of tasks): it is no ceiling.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parent))

from routing import rivals
from routing.figures import Scored, apgr, cost_at, dear_share, interval, mean, paired_interval
from routing.speed import flips, latency
from routing.tasks import Task, tasks
from routing.tracks import Judged, fold_of, from_cold, promises, scored, split, taught, unseen

ORDERS = ("score", "gain", "per_dollar")
SIZES = (100, 300, 1_000, 2_500)
OUTCOMES = 100
MISSING = ("ClawRouter's rules", "MiniLM")
"""Rivals that are in the tables by `--beside` only."""


def row(name: str, found: Scored, rounds: int) -> dict[str, Any]:
    """One line of a table."""
    return {
        "router": name,
        "APGR": apgr(found),
        "interval": list(interval(found, apgr, rounds)),
        "CPT50": dear_share(found, 0.5),
        "CPT80": dear_share(found, 0.8),
        "cost@95": cost_at(found, 0.95),
        "cost@98": cost_at(found, 0.98),
        "cost@98 interval": list(interval(found, lambda drawn: cost_at(drawn, 0.98), rounds)),
        "cost@99": cost_at(found, 0.99),
    }


def by_others(judged: Sequence[Judged], beside: rivals.Given) -> list[tuple[str, list[float] | None]]:
    """What other ways to order the same tasks give, in their order."""
    asked = [one.task for one in judged]
    prior = [0.0] * len(asked)
    for fold in {fold_of(task) for task in asked}:
        inside = [place for place, task in enumerate(asked) if fold_of(task) == fold]
        known = [task for task in asked if fold_of(task) != fold]
        for place, score in zip(inside, rivals.by_category(known, [asked[one] for one in inside]), strict=True):
            prior[place] = score
    chance = random.Random(7)
    return [
        ("random mix", [chance.random() for _ in asked]),
        ("length", [float(len(task.text)) for task in asked]),
        ("category prior", prior),
        *rivals.litellm(asked).items(),
        *((name, rivals.as_given(scores, asked)) for name, scores in beside.items()),
        ("oracle of one run (inflated by luck)", [task.outcome.dear - task.outcome.cheap for task in asked]),
    ]


def compare(judged: Sequence[Judged], rounds: int, beside: rivals.Given) -> dict[str, Any]:
    """The table of one track, and the differences of our order from the category prior's."""
    outcomes = [one.task.outcome for one in judged]
    alone = sum(one.dear_cost for one in outcomes)
    table: list[dict[str, Any]] = []
    prior: Scored = []
    for name, scores in by_others(judged, beside):
        if scores is None:
            table.append({"router": name, "APGR": None})
            continue
        found = list(zip(scores, outcomes, strict=True))
        prior = found if name == "category prior" else prior
        table.append(row(name, found, rounds))
    table += [row(f"underspend, {order}", scored(judged, order), rounds) for order in ORDERS]
    table += [{"router": name, "APGR": None} for name in MISSING if not any(one.startswith(name) for one in beside)]
    return {
        "tasks": len(judged),
        "always cheap": {
            "quality": mean([one.cheap for one in outcomes]),
            "cost": sum(o.cheap_cost for o in outcomes) / alone,
        },
        "always dear": {"quality": mean([one.dear for one in outcomes]), "cost": 1.0},
        "table": table,
        "APGR above the category prior": list(paired_interval(scored(judged), prior, apgr, rounds)),
    }


def measure(found: dict[str, list[Task]], beside: rivals.Given, *, quick: bool) -> tuple[dict[str, Any], list[Judged]]:
    """Every track there is data for."""
    rounds, splits, draws = (60, 80, 6) if quick else (300, 400, 20)
    report: dict[str, Any] = {"folds": {}, "unseen": {}}
    every: list[Judged] = []
    for track, listed in found.items():
        judged = split(listed, fold_of)
        every += judged
        report["folds"][track] = compare(judged, rounds, beside)
        if track == "tier":
            report["promises"] = [
                line for epsilon in (0.02, 0.05) for line in promises(judged, epsilon, 0.1, SIZES, splits)
            ]
    tier = found.get("tier", [])
    if tier:
        report["unseen"]["sets"] = unseen(split(tier, lambda task: task.group), rounds)
        report["unseen"]["categories"] = unseen(split(tier, lambda task: task.kind), rounds)
        report["from cold"] = {
            group: {"APGR": mean(values), "lowest": min(values), "highest": max(values), "draws": len(values)}
            for group, values in from_cold(tier, OUTCOMES, draws).items()
        }
        knowledge = taught(tier)
        report["latency"] = latency(knowledge, tier, 400 if quick else 2_000)
        report["flips"] = flips(knowledge, random.Random(3).sample(tier, min(len(tier), 1_000)))
    return report, every


TIE = 1e-9


def tie(one: Judged) -> float:
    """What parts equal scores: next to nothing, by chance, and the same in every run."""
    return TIE * crc32(f"tie:{one.task.name}".encode()) / 2**32


def write(path: Path, judged: Sequence[Judged]) -> None:
    """The score of every task, one line each. Equal scores are parted by chance, not by the order of the lines."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("track", "item", "fold", "score", "class", "gain", "per_dollar"))
        for one in judged:
            told = (one.score + tie(one), one.kind, one.gain, one.per_dollar)
            lines.writerow((one.task.track, one.task.name, one.part, *told))


def show(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(show(one) for one in value) + "]"
    return f"{value:.3f}" if isinstance(value, float) else "not measured" if value is None else str(value)


def lay_out(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    columns = list(dict.fromkeys(name for one in rows for name in one))
    head = ["| " + " | ".join(columns) + " |", "|" + "-|" * len(columns)]
    return "\n".join(head + ["| " + " | ".join(show(one.get(name, "")) for name in columns) + " |" for one in rows])


def in_words(report: dict[str, Any]) -> str:
    """The report for people."""
    parts = []
    for track, found in report["folds"].items():
        cheap, dear = found["always cheap"], found["always dear"]
        parts.append(
            f"## {track}: {found['tasks']} tasks in five folds\n\nAlways cheap: {cheap['quality']:.3f} at "
            f"{cheap['cost']:.3f} of the cost; always dear: {dear['quality']:.3f}.\n\n{lay_out(found['table'])}\n\n"
            f"Our APGR is above the category prior's by {show(found['APGR above the category prior'])}."
        )
    parts += [f"## Unseen {name}\n\n{lay_out(rows)}" for name, rows in report["unseen"].items()]
    if "from cold" in report:
        rows = [{"group": group, **values} for group, values in report["from cold"].items()]
        parts.append(f"## From cold, after {OUTCOMES} local outcomes\n\n{lay_out(rows)}")
    parts += [
        f"## {name.capitalize()}\n\n{lay_out(report[name])}"
        for name in ("promises", "latency", "flips")
        if name in report
    ]
    return "\n\n".join([*parts, f"Took {report['seconds']:.0f} seconds."])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=FILE", help="scores of another router")
    parser.add_argument("--tracks", help="some of them only, with commas between")
    options = parser.parse_args()
    begun = time.monotonic()
    beside = rivals.given(options.beside)
    wanted = options.tracks.split(",") if options.tracks else None
    found = {track: listed for track, listed in tasks(options.data).items() if wanted is None or track in wanted}
    if not found:
        raise SystemExit(f"no file of a known format in {options.data}")
    report, judged = measure(found, beside, quick=options.quick)
    report["seconds"] = time.monotonic() - begun
    if options.scores:
        write(options.scores, judged)
    print(json.dumps(report, indent=1) if options.json else in_words(report))


if __name__ == "__main__":
    main()
