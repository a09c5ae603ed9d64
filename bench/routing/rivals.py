"""Other ways to order tasks: by what the category gains, by LiteLLM's two scorers, by scores another program wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from routing.tasks import Task

LITELLM = "litellm[proxy]==1.106.2"
CACHE = Path(__file__).parents[1] / ".cache"
RULES, TABLE = (f"LiteLLM's {name} ({LITELLM.partition('==')[2]})" for name in ("scorer", "UltraFeedback table"))
_SCORER = """
import json, sys
from unittest.mock import MagicMock
from litellm.router_strategy.adaptive_router.classifier import classify_prompt
from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
from litellm.router_strategy.complexity_router.tier_predictor import TierSuccessPredictor, resolve_tier_artifact

tiers = {"SIMPLE": "a", "MEDIUM": "b", "COMPLEX": "c", "REASONING": "d"}
router = ComplexityRouter(
    model_name="auto", litellm_router_instance=MagicMock(), complexity_router_config={"tiers": tiers}
)
predictor = TierSuccessPredictor(resolve_tier_artifact("ultrafeedback"))
for line in sys.stdin:
    text = json.loads(line)
    print("score", router.classify(text)[1], 1 - predictor.predict(text, classify_prompt(text)).probabilities[1])
"""


def by_category(known: Sequence[Task], asked: Sequence[Task]) -> list[float]:
    """What the dear model gained on the known tasks of the same category; that of all where there are none."""
    gained = defaultdict(list)
    for task in known:
        gained[task.kind].append(task.outcome.dear - task.outcome.cheap)
    every = [value for values in gained.values() for value in values]
    overall = sum(every) / len(every)
    means = {kind: sum(values) / len(values) for kind, values in gained.items()}
    return [means.get(task.kind, overall) for task in asked]


def installed() -> Path | None:
    """The Python of a LiteLLM in `bench/.cache`, which is installed there once; None where it cannot be."""
    python = CACHE / "litellm" / "bin" / "python"
    if python.with_name("litellm").exists():
        return python
    CACHE.mkdir(exist_ok=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", CACHE / "litellm"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", LITELLM], check=True)
    except subprocess.CalledProcessError:
        return None
    return python


def litellm(tasks: Sequence[Task]) -> dict[str, list[float] | None]:
    """LiteLLM's complexity scores, and by its table how likely its cheapest tier fails, from its own package.

    None where it is not to be had.
    """
    python = installed()
    if python is None:
        return {RULES: None, TABLE: None}
    asked = "".join(json.dumps(task.text) + "\n" for task in tasks)
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    run = subprocess.run(
        [python, "-c", _SCORER], input=asked, capture_output=True, text=True, env=environment, check=False
    )
    lines = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("score ")]
    if len(lines) != len(tasks):
        return {RULES: None, TABLE: None}
    return {RULES: [float(line[0]) for line in lines], TABLE: [float(line[1]) for line in lines]}


Given = Mapping[str, Mapping[tuple[str, str], float]]


def given(said: Sequence[str]) -> Given:
    """Scores other programs wrote, from `NAME=FILE`: a line of JSON for each task, with `track`, `item` and `score`.

    Ends with one line where a file cannot be used.
    """
    found = {}
    for one in said:
        name, _, path = one.partition("=")
        try:
            rows = map(json.loads, Path(path).read_text("utf-8").splitlines())
            found[name] = {(row["track"], row["item"]): float(row["score"]) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"--beside {one}: not NAME=FILE, a JSON of track, item, score a line: {error}") from error
    return found


def as_given(scores: Mapping[tuple[str, str], float], tasks: Sequence[Task]) -> list[float] | None:
    """Those of some tasks; None where one has none."""
    found = [scores.get((task.track, task.name)) for task in tasks]
    told = [score for score in found if score is not None]
    return told if len(told) == len(tasks) else None
