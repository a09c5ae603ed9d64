"""How long a decision takes, and how little its class depends on how a request is worded."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from routing.tasks import Task
from routing.tracks import CHEAP, DEAR, SEEN
from underspend.routing.beliefs import Asked
from underspend.routing.features import describe
from underspend.routing.knowledge import Knowledge

SIZES = (300, 2_000, 200_000)
LARGE = 100_000
TYPOS = 0.05
LONG_ENOUGH = 4


def decide(knowledge: Knowledge, asked: Asked) -> bool:
    """All a decision looks up: class, features, what is believed of both arms, and the certificate."""
    kind, features = describe(asked)
    beliefs = [knowledge.belief(kind, features, arm) for arm in (CHEAP, DEAR)]
    paper = knowledge.certificate(kind, features, CHEAP, DEAR)
    return paper.threshold < 1 and beliefs[0].quality >= beliefs[1].quality


def latency(knowledge: Knowledge, tasks: Sequence[Task], decisions: int) -> list[dict[str, float]]:
    """Milliseconds of a decision on texts of each size made of the tasks' own: on the wall, and of processor time."""
    chance, rows = random.Random(1), []
    for size in SIZES:
        walls, processor = [], []
        for _ in range(decisions if size < LARGE else decisions // 4):
            text = ""
            while len(text) < size:
                text += chance.choice(tasks).text + "\n"
            asked = Asked(text=text[:size], prompt_chars=size, text_chars=size)
            begun, used = time.perf_counter_ns(), time.thread_time_ns()
            decide(knowledge, asked)
            processor.append((time.thread_time_ns() - used) / 1e6)
            walls.append((time.perf_counter_ns() - begun) / 1e6)
        walls.sort()
        processor.sort()
        middle, last = len(walls) // 2, int(len(walls) * 0.99)
        rows.append(
            {
                "characters": size,
                "p50 ms": walls[middle],
                "p99 ms": walls[last],
                "processor p50 ms": processor[middle],
                "processor p99 ms": processor[last],
            }
        )
    return rows


def _typos(text: str) -> str:
    """One word in twenty with two of its letters changed about."""
    chance, words = random.Random(len(text)), text.split(" ")
    for place, word in enumerate(words):
        if len(word) >= LONG_ENOUGH and word.isalpha() and chance.random() < TYPOS:
            at = chance.randrange(1, len(word) - 2)
            words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


CHANGES: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "lower case": str.lower,
    "doubled spaces": lambda text: text.replace(" ", "  "),
    "blank lines around": lambda text: f"\n\n{text}\n\n",
    "polite words before": lambda text: f"Hi, I could use some help with this one. {text}",
    "polite words after": lambda text: f"{text}\nThanks a lot!",
    "typos in 5 % of the words": _typos,
}


def flips(knowledge: Knowledge, tasks: Sequence[Task]) -> list[dict[str, object]]:
    """How many classes change when a request is worded otherwise, and how many decisions at the middle score."""
    found = [(task, SEEN.of(task)) for task in tasks]
    scores = [knowledge.score(*seen, DEAR, CHEAP) for _, seen in found]
    middle = sorted(scores)[len(scores) // 2]
    rows = []
    for name, change in CHANGES.items():
        classes = decisions = 0
        for (task, seen), score in zip(found, scores, strict=True):
            text = change(task.text)
            old = task.asked
            besides = old.prompt_chars - old.text_chars
            now = describe(Asked(text=text, prompt_chars=len(text) + besides, text_chars=len(text), tools=old.tools))
            classes += now[0] != seen[0]
            decisions += (knowledge.score(*now, DEAR, CHEAP) > middle) != (score > middle)
        rows.append({"change": name, "classes": classes / len(found), "decisions": decisions / len(found)})
    return rows
