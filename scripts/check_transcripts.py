"""Holds the transcript reader against recorded truth: `scripts/check_transcripts.py DATA`.

DATA is a folder with `transcripts/`, `peer-output/` (what ccusage said of them) and `claude-code-2.1.328/` (transcripts
of the real client with the ledger of what the API really returned). Prints each bar with its figure; ends with 1 if any
bar fails.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from underspend.audit.bills import price
from underspend.audit.ccusage_export import read_export
from underspend.audit.choice import Choice
from underspend.audit.days import Days
from underspend.audit.explain_diff import ABSENT, MORE, explain_diff
from underspend.audit.gateway_side import Seen, both_sides
from underspend.audit.numbered import packed, unpacked
from underspend.core.history import Answered, History, Timeline
from underspend.core.money import show
from underspend.core.usage import Usage
from underspend.readers.claude_code import read_history
from underspend.readers.claude_code.requests import wire_requests

Row = tuple[str, bool, str]
_PEER = "ccusage-20.0.24"
_RECORDED = "claude-code-2.1.328"


def rows(data: Path) -> Iterator[Row]:
    """Every bar."""
    yield from peer_rows(data)
    yield from truth_rows(data)


def peer_rows(data: Path) -> Iterator[Row]:
    """Token sums of the collected transcripts against ccusage's."""
    history = read_history([data / "transcripts"])
    replies = history.replies()
    own = [pair for pair in replies if not pair[1].nested]
    sessions = {item["sessionId"]: _of_peer(item) for item in _peer(data, "session")["sessions"]}
    found = _sums(own, lambda _, reply: Path(reply.place.file).stem)
    yield _compared("tokens per session are ccusage's", found, sessions)
    monthly = _peer(data, "monthly")
    months = {item["month"]: _of_peer(item) for item in monthly["monthly"]}
    yield _compared("tokens per month are ccusage's", _sums(own, lambda _, reply: _day(reply)[:7]), months)
    daily = _peer(data, "daily")
    days = {item["date"]: _of_peer(item) for item in daily["daily"]}
    yield _compared("tokens per day, nested agents too, are ccusage's", _sums(replies, lambda _, r: _day(r)), days)
    by_model = {
        (item["date"], part["modelName"]): _of_peer(part) for item in daily["daily"] for part in item["modelBreakdowns"]
    }
    found_by_model = _sums(replies, lambda _, reply: (_day(reply), reply.metered.model))
    yield _compared("tokens per day and model are ccusage's", found_by_model, by_model)
    yield from _dollar_rows(data, history)
    yield _complete("every line of the transcripts was understood", history)


def _dollar_rows(data: Path, history: History) -> Iterator[Row]:
    billed, now = price(history), time.time_ns() // 1000
    for name in ("session", "daily", "monthly", "blocks"):
        export = read_export(data / "peer-output" / f"{_PEER}-{name}.json")
        found = explain_diff(billed, export, Days(UTC), now=now)
        is_same = {ABSENT, MORE}.isdisjoint(each.cause for each in found.causes) and not any(found.tokens.values())
        is_named = found.residual == 0 and is_same
        yield (
            f"every dollar to ccusage's {name} is named",
            is_named,
            f"{show(found.residual)} of {show(found.theirs)} is not",
        )


def truth_rows(data: Path) -> Iterator[Row]:
    """What the real client wrote against what the API returned."""
    folder = data / _RECORDED
    ledger = [json.loads(line) for line in (folder / "truth-ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    written = [item for item in ledger if item["transcript_lines"]]
    truth: dict[Any, Usage] = defaultdict(Usage)
    for item in written:
        truth[item["session"], item["model_in_response"]] += _of_api(item["usage"])
    history = read_history([folder])
    found = _sums(history.replies(), lambda line, reply: (line.session, reply.metered.model))
    yield _compared("tokens per session and model are the API's", found, dict(truth))
    ids = [reply.message_id for _, reply in history.replies()]
    once = sorted(ids) == sorted(item["id"] for item in written)
    yield "each reply counts once, forks and all", once, f"{len(ids)} replies of {len(written)}"
    agents = {reply.message_id: line.agent for line, reply in history.replies()}
    placed = sum(agents.get(item["id"]) == item["agent"] for item in written)
    yield "each reply is with its agent", placed == len(written), f"{placed} of {len(written)}"
    yield _complete("every line of the client's was understood", history)
    yield _beside_a_gateway(ledger, history)
    yield _again(folder, history)
    yield _rebuilt(folder, {item["id"]: item for item in ledger})


def _beside_a_gateway(ledger: list[dict[str, Any]], history: History) -> Row:
    """A gateway that saw all that the API returned, beside the transcripts."""
    billed = price(history)
    times = {each.reply.message_id: each.reply.at for each in billed}
    first = min(times.values())
    replies = unpacked([packed(billed)])
    seen = [_seen(item, times.get(item["id"], first)) for item in ledger]
    found = both_sides(seen, replies, Choice(), first_at=first, sessions={each.line.session for each in billed})
    alone = sum(not item["transcript_lines"] for item in ledger)
    name = "a gateway's ledger has each reply of the transcripts once, and the calls they lack"
    if found is None:
        return name, False, "nothing was compared"
    only = sum(each.calls for each in found.only_gateway)
    is_right = (found.both, only, found.past.calls) == (len(billed), alone, 0)
    return name, is_right, f"{found.both} in both, {only} of {alone} in the gateway alone"


def _seen(item: dict[str, Any], at: int) -> Seen:
    return Seen(
        message_id=item["id"],
        request_id=item["request_id"],
        started_at=at,
        ended_at=at,
        cost=1,
        role="subagent" if item["agent"] else "main",
        outcome="ok" if item["sent_in_full"] else "cut",
        session=item["session"],
        project=None,
        directory=None,
        model=item["model_in_response"],
        evidence="billed",
    )


def _again(folder: Path, history: History) -> Row:
    with tempfile.TemporaryDirectory() as cache:
        first = read_history([folder], cache=Path(cache))
        second = read_history([folder], cache=Path(cache))
    return "the cache changes nothing", first == second == history, f"{len(history.files)} files"


def _rebuilt(folder: Path, truth: dict[str, Any]) -> Row:
    noted, right, wrong = 0, 0, 0
    for path in sorted((folder / "projects").rglob("*.jsonl")):
        noted += path.read_bytes().count(b'"type":"api-request",')
        for request in wire_requests(path):
            item = truth.get(request.message_id or "")
            fits = item is None or item["model_asked"] == request.body["model"]
            right, wrong = right + fits, wrong + (not fits)
    return "every request is rebuilt", right == noted and not wrong, f"{right} of {noted}"


def _complete(name: str, history: History) -> Row:
    lost = len(history.skipped) + sum(history.unknown.values())
    lines = sum(file.lines for file in history.files)
    return name, lost == 0, f"{lines - lost} of {lines} lines in {len(history.files)} files"


def _compared(name: str, found: dict[Any, Usage], truth: dict[Any, Any]) -> Row:
    """Whether two tables are the same. The peer's have one lane for all cache writes."""
    wrong = [key for key in found.keys() | truth.keys() if not _same(found.get(key, Usage()), truth.get(key, Usage()))]
    tokens = sum((usage.prompt + usage.output for usage in found.values()), 0)
    shown = f"; not {', '.join(map(str, wrong[:5]))}" if wrong else ""
    return name, not wrong and bool(truth), f"{len(truth) - len(wrong)} of {len(truth)}, {tokens:,} tokens{shown}"


def _same(found: Usage, truth: Usage | dict[str, int]) -> bool:
    if isinstance(truth, Usage):
        return found == truth
    written = found.cache_write_5m + found.cache_write_1h
    return truth == {"input": found.input, "written": written, "read": found.cache_read, "output": found.output}


def _sums(replies: Iterable[tuple[Timeline, Answered]], key: Any) -> dict[Any, Usage]:
    sums: dict[Any, Usage] = defaultdict(Usage)
    for line, reply in replies:
        sums[key(line, reply)] += reply.metered.usage
    return dict(sums)


def _day(reply: Answered) -> str:
    return datetime.fromtimestamp(reply.at / 10**6, UTC).date().isoformat()


def _peer(data: Path, name: str) -> Any:
    return json.loads((data / "peer-output" / f"{_PEER}-{name}.json").read_text(encoding="utf-8"))


def _of_peer(item: dict[str, Any]) -> dict[str, int]:
    return {
        "input": item["inputTokens"],
        "written": item["cacheCreationTokens"],
        "read": item["cacheReadTokens"],
        "output": item["outputTokens"],
    }


def _of_api(usage: dict[str, Any]) -> Usage:
    split = usage["cache_creation"]
    return Usage(
        usage["input_tokens"],
        split["ephemeral_5m_input_tokens"],
        split["ephemeral_1h_input_tokens"],
        usage["cache_read_input_tokens"],
        usage["output_tokens"],
    )


def main(arguments: list[str]) -> int:
    """Run from the command line."""
    if len(arguments) != 1:
        print("usage: check_transcripts.py DATA")
        return 2
    failed = 0
    for name, held, figure in rows(Path(arguments[0])):
        failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {name}: {figure}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
