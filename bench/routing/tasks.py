"""The tasks of a folder in the shared formats: what was asked, and what a cheap and a dear model made of it.

A file that is not there is left out, with all its tasks. What the router under test sees of a task is `asked` and
nothing else; `group` and `kind` are for splits and for the category prior.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routing.figures import Outcome
from underspend.routing.beliefs import Asked
from underspend.routing.reading import cut

CHARS_PER_TOKEN = 3.8
PROGRAM_TOKENS = 700
"""What the sources do not give: tokens of a text by its characters, and of a program that was written."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `track` is the set it counts in."""

    track: str
    name: str
    group: str
    kind: str
    text: str
    asked: Asked
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a source names it, and its dollars per million tokens of input and output when it was run."""

    names: tuple[str, ...]
    price: tuple[float, float]

    def dollars(self, read: float, written: float) -> float:
        return (read * self.price[0] + written * self.price[1]) / 1e6

    def of(self, rows: dict[str, Any]) -> Any:
        """Its row, by the first of its names that there is."""
        return next((rows[name] for name in self.names if name in rows), None)


# List prices of the time: platform.claude.com "Pricing" of 2024, openai.com and mistral.ai of January 2024.
CHEAP = Model(("claude-3-haiku-20240307", "Claude-3-Haiku"), (0.25, 1.25))
DEAR = Model(
    (
        "claude-3-5-sonnet-20241022",
        "claude-3-5-sonnet-20240620",
        "Claude-3.5-Sonnet-20241022",
        "Claude-3.5-Sonnet-20240620",
    ),
    (3.0, 15.0),
)
MIXTRAL = Model(("mixtral-8x7b",), (0.6, 0.6))
GPT4 = Model(("gpt-4-1106-preview",), (10.0, 30.0))
SWE_PAIRS = {
    "mini": (("GPT-5 mini (2025-08-07) (medium reasoning)",), ("Claude 4.5 Opus medium (20251101)",)),
    "openhands": (("MiniMax-M3",), ("claude-opus-4-8",)),
}


def asked(text: str, *, tools: int = 0, besides: int = 0, system: str = "") -> Asked:
    """What a gateway would hand to the router of such a request."""
    size = len(text)
    return Asked(text=cut(text), system=system, prompt_chars=size + besides, text_chars=size, tools=tools)


def table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a packed CSV; none where there is no file."""
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a packed JSONL; none where there is no file."""
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


def by_model(rows: Iterable[dict[str, str]], key: str) -> dict[str, dict[str, Any]]:
    """Rows of each task by model."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        found[row[key]][row["model"]] = row
    return dict(sorted(found.items()))


def tool_calls(data: Path) -> Iterator[Task]:
    """Function calling with the tools' schemas in the prompt."""
    asked_for = {one["item_id"]: one for one in lines(data / "bfcl_v1_prompts.jsonl.gz")}
    for name, rows in by_model(table(data / "bfcl_v1_20240811.csv.gz"), "item_id").items():
        cheap, dear, prompt = CHEAP.of(rows), DEAR.of(rows), asked_for.get(name)
        if not (cheap and dear and prompt):
            continue
        functions = prompt["functions"] if isinstance(prompt["functions"], list) else [prompt["functions"]]
        besides = sum(len(json.dumps(function)) for function in functions)
        dollars = [
            model.dollars(float(row["input_tokens"] or 0), float(row["output_tokens"] or 0))
            for model, row in ((CHEAP, cheap), (DEAR, dear))
        ]
        made = Outcome(float(cheap["correct"]), float(dear["correct"]), *dollars)
        seen = asked(prompt["question"], tools=len(functions), besides=besides)
        yield Task("tier", name, "bfcl", prompt["category"], prompt["question"], seen, made)


def problems(data: Path) -> Iterator[Task]:
    """Word problems, competition mathematics, and what a program puts out."""
    asked_for = {one["item_id"]: one for one in lines(data / "zeroeval_prompts.jsonl.gz")}
    for name, rows in by_model(table(data / "zeroeval_correctness.csv.gz"), "item_id").items():
        cheap, dear, prompt = CHEAP.of(rows), DEAR.of(rows), asked_for.get(name)
        if not (cheap and dear and prompt):
            continue
        read = len(prompt["question"]) / CHARS_PER_TOKEN
        dollars = [
            model.dollars(read, float(row["output_chars"] or 0) / CHARS_PER_TOKEN)
            for model, row in ((CHEAP, cheap), (DEAR, dear))
        ]
        made = Outcome(float(cheap["correct"]), float(dear["correct"]), *dollars)
        yield Task("tier", name, "zeroeval", prompt["task"], prompt["question"], asked(prompt["question"]), made)


def programs(data: Path) -> Iterator[Task]:
    """Programming exercises; quality is the share of ten samples that passed."""
    asked_for = {one["question_id"]: one for one in lines(data / "livecodebench_questions.jsonl.gz")}
    for name, rows in by_model(table(data / "livecodebench_codegen_pass1.csv.gz"), "question_id").items():
        cheap, dear, prompt = CHEAP.of(rows), DEAR.of(rows), asked_for.get(name)
        if not (cheap and dear and prompt):
            continue
        text = "\n".join(part for part in (prompt["question"], prompt.get("starter_code")) if part)
        dollars = [model.dollars(len(text) / CHARS_PER_TOKEN, PROGRAM_TOKENS) for model in (CHEAP, DEAR)]
        made = Outcome(float(cheap["pass_at_1_pct"]) / 100, float(dear["pass_at_1_pct"]) / 100, *dollars)
        yield Task("tier", name, "livecodebench", "livecodebench", text, asked(text), made)


def exams(data: Path) -> Iterator[Task]:
    """Multiple choice by subject and word problems, Mixtral against GPT-4."""
    for place, row in enumerate(table(data / "routellm_gsm8k_mmlu.csv.gz")):
        text = row["prompt"]
        read, written = len(text) / CHARS_PER_TOKEN, float(row["gpt4_response_chars"] or 4) / CHARS_PER_TOKEN
        made = Outcome(
            float(row["mixtral_8x7b_correct"]),
            float(row["gpt4_1106_correct"]),
            MIXTRAL.dollars(read, written),
            GPT4.dollars(read, written),
        )
        track = f"exam {row['benchmark']}"
        yield Task(track, f"{row['benchmark']}:{place}", row["subject"], row["subject"], text, asked(text), made)


def common_sense(data: Path) -> Iterator[Task]:
    """Science questions, pronouns and small programs, Mixtral against GPT-4."""
    cheap, dear = "mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview"
    for row in table(data / "routerbench_subset_via_routerdc.csv.gz"):
        text = row["prompt"]
        if text.startswith("["):
            text = "\n".join(map(str, ast.literal_eval(text)))
        made = Outcome(*(float(row[f"{model}|{what}"] or 0) for what in ("score", "cost") for model in (cheap, dear)))
        yield Task("common sense", row["sample_id"], row["eval_name"], row["eval_name"], text, asked(text), made)


def issues(data: Path) -> Iterator[Task]:
    """Issues of repositories solved by agents: the hard case, where abstaining is right."""
    texts = {
        one["instance_id"]: one["problem_statement"]
        for one in lines(data / "swebench_verified_problem_statements.jsonl.gz")
    }
    mini = by_model(table(data / "swebench_verified_miniswe_bashonly.csv.gz"), "instance_id")
    hands = by_model(
        (
            row
            for row in table(data / "openhands_index_instances.csv.gz")
            if row["benchmark"] == "swe-bench" and row["scaffold"] == "openhands"
        ),
        "instance_id",
    )
    for track, runs in (("mini", mini), ("openhands", hands)):
        cheap, dear = (Model(names, (0.0, 0.0)) for names in SWE_PAIRS[track])
        for name, rows in runs.items():
            ours, theirs = cheap.of(rows), dear.of(rows)
            if name in texts and ours and theirs:
                values = [float(row[what] or 0) for what in ("resolved", "cost_usd") for row in (ours, theirs)]
                text = texts[name]
                repository = name.partition("__")[0]
                yield Task(f"issues {track}", name, repository, repository, text, asked(text), Outcome(*values))


def tasks(data: Path) -> dict[str, list[Task]]:
    """All tasks of a folder by track."""
    found: dict[str, list[Task]] = defaultdict(list)
    for source in (tool_calls, problems, programs, exams, common_sense, issues):
        for task in source(data):
            found[task.track].append(task)
    return dict(found)
