"""Holds the prediction of the prompt cache against recorded bills: `scripts/check_prediction.py DATA`.

DATA is a folder with `transcripts/` or `claude-code-*/`. Also replays the requests that newer clients write down
through the block-level cache and the fake provider's own, which must agree to the token. Prints each bar with its
figure; ends with 1 if any bar fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import json

from underspend.audit.prediction import predict
from underspend.audit.prediction_check import Check, check, usd
from underspend.audit.wire_prompt import prompt_of
from underspend.core.money import show
from underspend.pricing.catalogue import catalogue
from underspend.promptcache import Cache
from underspend.readers.claude_code import read_history
from underspend.readers.claude_code.requests import WireRequest, wire_requests
from underspend.testing.fake_upstream import PriceList, PromptCache, blocks, build_prompt
from underspend.testing.fake_upstream.tokens import count

LEAST_CLOSE_CALLS = 98
LEAST_CLOSE_SESSIONS = 95
MOST_OFF = 200  # one part in 200: 0.5 %

Row = tuple[str, bool, str]


def rows(data: Path) -> Iterator[Row]:
    """Each bar: its name, whether it holds, its figure."""
    folders = [folder for folder in sorted(data.iterdir()) if folder.name == "transcripts" or _is_client(folder)]
    predicted = [each for folder in folders for each in predict(read_history([folder], cache=None))]
    yield from _bars(check(predicted))
    yield _witness([request for folder in folders for request in _requests(folder)])


def _is_client(folder: Path) -> bool:
    return folder.name.startswith("claude-code-") and folder.is_dir()


def _bars(made: Check) -> Iterator[Row]:
    calls, shown = made.every.calls, made.determined
    without = calls - made.inferred.calls
    holds = made.close * 100 >= LEAST_CLOSE_CALLS * calls
    figure = f"{made.close}/{calls} ({made.close / max(calls, 1):.2%}; without {made.inferred.calls} first requests "
    figure += f"taken as recorded {(made.close - made.inferred.calls) / max(without, 1):.2%})"
    yield "calls predicted within 2 % of their prompt", holds, figure
    off = shown.predicted - shown.recorded
    figure = f"{show(shown.recorded)} recorded, {show(shown.predicted)} predicted "
    figure += f"({off / max(shown.recorded, 1):+.3%}) over {shown.calls} calls"
    yield "cost of determined calls within 0.5 %", abs(off) * MOST_OFF <= shown.recorded, figure
    holds = made.sessions_close * 100 >= LEAST_CLOSE_SESSIONS * len(made.sessions)
    yield "sessions within 1 % over determined calls", holds, f"{made.sessions_close}/{len(made.sessions)}"
    extra = sum(money for _, money in made.by_cause.values())
    listed = sum(count for count, _ in made.by_cause.values()) == calls - made.close
    causes = ", ".join(f"{cause.value} {count} (${usd(money)[:6]})" for cause, (count, money) in made.by_cause.items())
    yield "every miss has a cause and its dollars", listed, f"{show(extra)} above the prediction: {causes}"


def _requests(folder: Path) -> list[WireRequest]:
    found = [request for path in sorted(folder.rglob("*.jsonl")) for request in wire_requests(path)]
    return sorted(found, key=lambda request: request.at)


def _witness(requests: list[WireRequest]) -> Row:
    """The block-level cache against the fake provider's, over the same requests in the order they were sent."""
    ours, theirs, prices = Cache(), PromptCache(), PriceList()
    wrong = []
    for request in requests:
        name = str(request.body.get("model"))
        listed = catalogue().find(name, provider="anthropic")
        facts = prices.find(name)
        minimum = prices.min_cache_tokens(name)
        prompt = prompt_of(
            request.body, model=listed.id if listed else name, minimum=minimum, scope="w", measure=_tokens
        )
        split = ours.admit(prompt, request.at)
        ours.began(split, request.at)
        placed = theirs.admit(
            build_prompt(request.body, workspace="w", model=name, facts=facts), minimum=minimum, now=request.at
        )
        theirs.began(placed, now=request.at)
        lanes = (split.input, split.cache_read, split.cache_write_5m, split.cache_write_1h)
        if lanes != (placed.input, placed.cache_read, placed.cache_write_5m, placed.cache_write_1h):
            wrong.append(request.id)
    figure = f"{len(requests) - len(wrong)}/{len(requests)} requests"
    return "block-level cache equals the fake provider's", not wrong, figure


def _tokens(block: dict[str, object]) -> int:
    """The fake provider's own count."""
    if "type" not in block or "input_schema" in block:
        return count(json.encode(block))
    return blocks.positions({"messages": [{"role": "user", "content": [block]}]})[0].tokens


def main(arguments: list[str]) -> int:
    """Run from the command line."""
    if len(arguments) != 1:
        print("usage: check_prediction.py DATA")
        return 2
    failed = 0
    for name, held, figure in rows(Path(arguments[0])):
        failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {name}: {figure}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
