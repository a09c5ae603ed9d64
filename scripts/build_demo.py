"""Make the demo's sessions from recorded transcripts: `python scripts/build_demo.py DATA_DIR`.

A call is one message id: all its lines merged, the highest token counts kept. Texts are cut above 6 kB, signatures are
left out, names of accounts and devices and e-mail addresses are replaced, nothing else is changed. Compaction calls,
which transcripts leave out, are put back from the summary they made.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from underspend.testing.demo.recording import Call, Session, Source, Thread, encode

Json = dict[str, Any]
OUT = Path(__file__).parent.parent / "src/underspend/testing/demo/sessions"
LIMIT = 6_000
BYTES_PER_TOKEN = 4
FEWEST_UNSEEN = 2_000


class Repository(NamedTuple):
    name: str
    commit: str
    licence: str
    account: str = ""


ENTIRE = Repository("entireio/cli", "394f81fab87f71aa8938d91ff7a067c524ff344b", "MIT", "soph")
FITTODAY = Repository(
    "Viniciuscarvalho/FitToday", "370184e4d45bb61e73d9cda9d6baed79fe41cacc", "Apache-2.0", "viniciuscarvalho"
)
STUFF = Repository("ujuc/agent-stuff", "5296353a932ec672a06bf9a360102e54690353d1", "MIT")
MEMORY = Repository("obra/episodic-memory", "4bd25d181428ad5135da7bacd05a9ff5207b00ef", "MIT", "jesse")


class Pick(NamedTuple):
    file: str
    repository: Repository
    path: str
    days_ago: float | None


PICKS = (
    Pick("obra-episodic-memory__long-conversation", MEMORY, "test/fixtures/long-conversation.jsonl", 20.2),
    Pick("entireio-cli__e4599950", ENTIRE, "13/db96e5c261/0/full.jsonl", 17.1),
    Pick("ujuc-agent-stuff__4b1079c4", STUFF, "35/5fa75ae8fb/1/full.jsonl", 13.2),
    Pick("Viniciuscarvalho-FitToday__180c622b", FITTODAY, "40/15874572bc/0/full.jsonl", 10.1),
    Pick("Viniciuscarvalho-FitToday__9bf63ba3", FITTODAY, "f4/473875393c/7/full.jsonl", 6.3),
    Pick("Viniciuscarvalho-FitToday__0abaad50", FITTODAY, "8c/abfb24f25e/0/full.jsonl", 3.0),
    Pick("entireio-cli__15f99783", ENTIRE, "54/bb2ec87cc8/2/full.jsonl", 0.0),
    Pick("ujuc-agent-stuff__b37d8cd5", STUFF, "22/81c24bf2ba/3/full.jsonl", None),
)


@dataclass
class Reply:
    """A call in the making: `time` is in milliseconds since the epoch."""

    time: int
    model: str
    prompt: int
    add: list[Json]
    blocks: list[Json] = field(default_factory=list)
    usage: Json = field(default_factory=dict)
    stop_reason: str | None = None
    role: str = "main"
    fresh: bool = False

    def merge(self, message: Json) -> None:
        """Take in one line of the reply."""
        self.blocks += message["content"]
        self.stop_reason = message.get("stop_reason") or self.stop_reason
        for name, value in flat(message.get("usage") or {}):
            self.usage[name] = max(value, self.usage.get(name, 0))

    @property
    def prompt_tokens(self) -> int:
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return sum(self.usage.get(name, 0) for name in names)


@dataclass
class Tape:
    """One conversation, read line by line."""

    role: str
    agent: str | None = None
    agent_type: str | None = None
    replies: list[Reply] = field(default_factory=list)
    pending: list[Json] = field(default_factory=list)
    asked: int = 0
    fresh: bool = False

    def user(self, content: Any, time: int) -> None:
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        self.pending += [plain(block) for block in blocks]
        self.asked = time

    def assistant(self, message: Json, time: int, prompt: int) -> None:
        known = next((reply for reply in reversed(self.replies) if reply.usage.get("id") == message["id"]), None)
        if known is None:
            known = self._begin(message, time, prompt)
        known.merge(message)

    def _begin(self, message: Json, time: int, prompt: int) -> Reply:
        before = None if self.fresh or not self.replies else self.replies[-1].blocks
        content = answered(before, self.pending)
        reply = Reply(
            time=min(self.asked, time) if self.pending else time,
            model=message["model"],
            prompt=prompt,
            add=[{"role": "user", "content": content}],
            usage={"id": message["id"]},
            role=self.role,
            fresh=self.fresh,
        )
        self.replies.append(reply)
        self.pending, self.fresh = [], False
        return reply

    def compact(self, summary: str, time: int, prompt: int) -> None:
        """The call that made the summary: it saw all there was, and was asked for a summary of it."""
        last = self.replies[-1]
        content = answered(last.blocks, self.pending)
        asked = {"role": "user", "content": content}
        text = [{"type": "text", "text": f"<summary>\n{summary}\n</summary>"}]
        made = Reply(time, last.model, prompt, [asked], text, {}, "end_turn", "compaction")
        self.replies.append(made)
        self.pending, self.fresh = [], True
        self.user(summary, time + 1)


def flat(usage: Json) -> Iterator[tuple[str, int]]:
    """The numbers of a usage, those of `cache_creation` too."""
    for name, value in usage.items():
        if isinstance(value, dict):
            yield from flat(value)
        elif isinstance(value, int):
            yield name, value


def answered(before: list[Json] | None, content: list[Json]) -> list[Json]:
    """User content as the API takes it: a result for each tool that was called, first, and for no other."""
    called = [block["id"] for block in before or [] if block["type"] == "tool_use"]
    results = {block["tool_use_id"]: block for block in content if block["type"] == "tool_result"}
    missing = {"type": "tool_result", "content": "(no result was recorded)", "is_error": True}
    found = [results.get(name, {**missing, "tool_use_id": name}) for name in called]
    rest = [block for block in content if block["type"] != "tool_result"]
    return [*found, *rest] or [{"type": "text", "text": "Continue."}]


def plain(block: Json) -> Json:
    """The block without what a client would not send; pictures become a word."""
    if block.get("type") == "image":
        return {"type": "text", "text": "(an image)"}
    kept = {name: value for name, value in block.items() if name not in {"cache_control", "signature", "caller"}}
    if isinstance(kept.get("content"), list):
        kept["content"] = [plain(part) for part in kept["content"]]
    return kept


def cut(value: Any) -> Any:
    """The same JSON with every text cut to 6 kB."""
    if isinstance(value, dict):
        return {key: cut(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [cut(inner) for inner in value]
    if isinstance(value, str) and len(value.encode()) > LIMIT:
        return value.encode()[:LIMIT].decode(errors="ignore") + "\n… (cut for the demo)"
    return value


def scrubbed(text: str, account: str) -> str:
    """The text without the names of accounts and devices, and without e-mail addresses but for documentation's own."""
    text = re.sub(r"([/-])(Users|home)\1[A-Za-z0-9_.]+", r"\1\2\1dev", text)
    text = re.sub(r"iPhone [A-Z][a-z]+ ", "iPhone ", text)
    if account:
        text = re.sub(rf"(?<=[ \"]){account}(?= )|(?<=\\n){account}(?= )", "dev", text)
    return re.sub(r"(?<![\w.+-])[\w.+-]+@(?!example\.com|test\.com|\d)[\w-]+\.[a-z]{2,}", "dev@example.com", text)


def lines(text: str) -> Iterator[Json]:
    """The entries of a transcript, each once."""
    seen = set()
    for line in text.splitlines():
        entry = json.loads(line)
        if entry.get("uuid") not in seen:
            seen.add(entry.get("uuid"))
            yield entry


def milliseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


@dataclass
class Reader:
    """Takes the entries of one transcript in their order."""

    main: Tape = field(default_factory=lambda: Tape("main"))
    agents: dict[str, Tape] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    prompts: int = 0

    def read(self, entry: Json) -> None:
        kind = entry.get("type")
        if kind in {"user", "assistant"} and not entry.get("isSidechain"):
            self._said(entry)
        elif kind == "progress" and entry["data"].get("type") == "agent_progress":
            self._agent(entry)

    def _said(self, entry: Json) -> None:
        time, message = milliseconds(entry["timestamp"]), entry["message"]
        if entry.get("isCompactSummary"):
            self.main.compact(message["content"], time, self.prompts)
        elif entry["type"] == "user":
            typed = not entry.get("isMeta") and "tool_result" not in json.dumps(message["content"])[:60]
            self.prompts += typed
            self.main.user(message["content"], time)
        elif message["model"] != "<synthetic>":
            self._hire(message["content"])
            self.main.assistant(self._clean(message), time, self.prompts)

    def _hire(self, content: Iterable[Json]) -> None:
        for block in content:
            if block["type"] == "tool_use" and block["name"] in {"Task", "Agent"}:
                self.types[block["id"]] = block["input"].get("subagent_type", "general-purpose")

    def _agent(self, entry: Json) -> None:
        data, said = entry["data"], entry["data"]["message"]
        name = data["agentId"]
        if name not in self.agents:
            self.agents[name] = Tape("subagent", name, self.types.get(entry["parentToolUseID"], "general-purpose"))
        time = milliseconds(said.get("timestamp") or entry["timestamp"])
        if said["type"] == "user":
            self.agents[name].user(said["message"]["content"], time)
        elif said["type"] == "assistant":
            self.agents[name].assistant(self._clean(said["message"]), time, self.prompts)

    def _clean(self, message: Json) -> Json:
        return {**message, "content": [plain(block) for block in message["content"]]}


def size(messages: Any) -> int:
    return len(json.dumps(messages, ensure_ascii=False).encode()) // BYTES_PER_TOKEN


def shared(tapes: list[Tape]) -> dict[str | None, int]:
    """By agent type, the prompt tokens that no message holds: agents of one type share them, so the fewest count."""
    found: dict[str | None, int] = {}
    for tape in tapes:
        first = tape.replies[0]
        unseen = max(FEWEST_UNSEEN, first.prompt_tokens - size(first.add))
        found[tape.agent_type] = min(unseen, found.get(tape.agent_type, unseen))
    return found


def thread(tape: Tape, start: int, unseen: int) -> Thread:
    """The conversation as it is bundled."""
    short, long = (f"ephemeral_{name}_input_tokens" for name in ("5m", "1h"))
    for_long = sum(reply.usage.get(long, 0) - reply.usage.get(short, 0) for reply in tape.replies) > 0
    tools: dict[str, set[str]] = {}
    for block in (block for reply in tape.replies for block in reply.blocks if block["type"] == "tool_use"):
        tools.setdefault(block["name"], set()).update(block["input"])
    return Thread(
        calls=[
            Call(
                at=reply.time - start,
                model=reply.model,
                prompt=reply.prompt,
                add=cut(reply.add),
                reply=cut(reply.blocks),
                role=reply.role,
                fresh=reply.fresh,
                output=reply.usage.get("output_tokens", 0),
                stop_reason=reply.stop_reason,
            )
            for reply in tape.replies
        ],
        unseen=unseen,
        tools={name: sorted(inputs) for name, inputs in sorted(tools.items())},
        ttl="1h" if for_long else "5m",
        agent=tape.agent,
        agent_type=tape.agent_type,
    )


def session(text: str, pick: Pick) -> Session:
    """The session of a transcript."""
    reader, entries = Reader(), list(lines(scrubbed(text, pick.repository.account)))
    for entry in entries:
        reader.read(entry)
    tapes = [tape for tape in (reader.main, *reader.agents.values()) if tape.replies]
    unseen = shared(tapes)
    times = [reply.time for tape in tapes for reply in tape.replies]
    versions = [entry["version"] for entry in entries if entry.get("version")]
    return Session(
        id=next(entry["sessionId"] for entry in entries if entry.get("uuid")),
        project=pick.repository.name.partition("/")[2],
        client=versions[-1],
        days_ago=pick.days_ago,
        source=Source(
            repository=pick.repository.name,
            commit=pick.repository.commit,
            path=pick.path,
            licence=pick.repository.licence,
        ),
        threads=[thread(tape, min(times), unseen[tape.agent_type]) for tape in tapes],
    )


def sources(made: list[tuple[Path, Session]]) -> str:
    """SOURCES.md."""
    rows = [
        f"| {file.name} | [{s.source.repository}](https://github.com/{s.source.repository}) | {s.source.commit} "
        f"| {s.source.path} | {s.source.licence} |"
        for file, s in made
    ]
    head = (
        "# Where the demo's sessions come from\n\n"
        "Real Claude Code sessions that their projects publish in their repositories (branch `entire/checkpoints/v1`,\n"
        "but for episodic-memory, where it is a test fixture). `scripts/build_demo.py` made them: texts cut at 6 kB,\n"
        "signatures left out, the names of accounts and devices and e-mail addresses replaced. The client's own\n"
        "instructions are not in a recording: text of the recorded size stands in for them. Compaction calls are put\n"
        "back from the summaries they made.\n\n"
        "| file | repository | commit | path | licence |\n|-|-|-|-|-|\n"
    )
    return head + "\n".join(rows) + "\n"


def main(data: Path) -> None:
    built = [session((data / f"{pick.file}.jsonl").read_text(encoding="utf-8"), pick) for pick in PICKS]
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.json.gz"):
        old.unlink()
    made = [(OUT / f"{each.project}-{each.id[:8]}.json.gz", each) for each in built]
    for file, each in made:
        file.write_bytes(encode(each))
        agents = sum(thread.agent is not None for thread in each.threads)
        print(f"{file.name}: {each.calls} calls, {agents} agents, {file.stat().st_size:,} bytes")
    (OUT / "SOURCES.md").write_text(sources(made), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
