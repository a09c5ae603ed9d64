"""Other ways to order tasks: by length, by what the category gains, by LiteLLM's scorer, by looking at the answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from routing.tasks import Task

LITELLM = "litellm[proxy]==1.106.2"
CACHE = Path(__file__).parents[1] / ".cache"
_SCORER = """
import json, sys
from unittest.mock import MagicMock
from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter

tiers = {"SIMPLE": "a", "MEDIUM": "b", "COMPLEX": "c", "REASONING": "d"}
router = ComplexityRouter(
    model_name="auto", litellm_router_instance=MagicMock(), complexity_router_config={"tiers": tiers}
)
for line in sys.stdin:
    print("score", router.classify(json.loads(line))[1])
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


def litellm(tasks: Sequence[Task]) -> list[float] | None:
    """LiteLLM's complexity scores, from its own package; None where it is not to be had."""
    python = installed()
    if python is None:
        return None
    asked = "".join(json.dumps(task.text) + "\n" for task in tasks)
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    run = subprocess.run(
        [python, "-c", _SCORER], input=asked, capture_output=True, text=True, env=environment, check=False
    )
    scores = [float(line.split()[1]) for line in run.stdout.splitlines() if line.startswith("score ")]
    return scores if len(scores) == len(tasks) else None
