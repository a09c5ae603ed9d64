"""Sessions played twice on one clock: straight to the fake provider, and through a gateway with a policy."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clocked import SharedClock
from running import Running, ledger_rows
from sessions import Client, Run

from underspend.strategies import BUILTIN
from underspend.testing.demo import Cue, Player, sessions
from underspend.testing.demo.client import Conversation
from underspend.testing.fake_upstream import FakeUpstream, run_in_thread

HOUSE = Path(__file__).parent
DEFAULT = ""
SET = {
    "cache_ttl": "pauses = 1",
    "cap_output": "samples = 5",
    "thinking_effort": 'samples = 5\nshort_reply = 4000\nroles = ["main", "subagent", "unknown"]',
    "cold_prune": "keep_calls = 3\nwhen_warm = true",
    "drop_stale_results": "keep_calls = 2",
    "summarise_history": 'model = "claude-haiku-4-5-20251001"\nleast_tokens = 1000\nmost_tokens = 500\nkeep_turns = 1',
    "trim_history": 'budget_tokens = 4000\nroles = ["main", "subagent", "unknown"]',
}
EVERYTHING = "\n".join(f'[strategies.{kind.name}]\nstate = "on"\n{SET.get(kind.name, "")}\n' for kind in BUILTIN)
POLICIES = {"default": DEFAULT, "everything": EVERYTHING}


@dataclass(frozen=True)
class Bills:
    """What the fake provider billed, in all and by session, and the share of prompts that its cache held."""

    total: int
    by_session: dict[str | None, int]
    hit_share: float
    statuses: set[int]
    faults: list = field(default_factory=list)
    rows: list = field(default_factory=list)


def bills(upstream: FakeUpstream, faults=(), rows=()) -> Bills:
    usages = [seen.usage for seen in upstream.requests if seen.usage and "count_tokens" not in seen.path]
    read = sum(usage.get("cache_read_input_tokens") or 0 for usage in usages)
    written = sum(usage.get("cache_creation_input_tokens") or 0 for usage in usages)
    prompt = read + written + sum(usage["input_tokens"] for usage in usages)
    by_session = {session: bill.picodollars for session, bill in upstream.bill_by_session().items()}
    statuses = {seen.status for seen in upstream.requests if seen.method == "POST"}
    share = read / prompt if prompt else 0.0
    return Bills(upstream.bill().picodollars, by_session, share, statuses, list(faults), list(rows))


@contextmanager
def gateway(folder: Path, upstream: str, config: str, clock_file: Path) -> Iterator[Running]:
    """A gateway on the shared clock, in a process of its own."""
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config)
    with (folder / "stderr.log").open("wb") as log:
        command = [sys.executable, str(HOUSE / "clocked.py"), str(clock_file), str(folder), upstream]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True)
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), (folder / "stderr.log").read_text()
        yield Running(url, folder, process)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def played(folder: Path, script, play: Callable[[str, SharedClock], None], config: str | None) -> Bills:
    """Play something against a fresh fake provider, through a gateway where there is a config for one."""
    folder.mkdir(parents=True)
    clock = SharedClock(folder / "clock")
    with ExitStack() as stack:
        upstream = stack.enter_context(run_in_thread(script, clock=clock, keep_bodies=True))
        if config is None:
            play(upstream.url, clock)
            return bills(upstream)
        with gateway(folder / "gateway", upstream.url, config, folder / "clock") as made:
            play(made.url, clock)
            faults = made.status()["faults"]
        return bills(upstream, faults, ledger_rows(folder / "gateway"))


def session_of_claude(binary: Path, work: Path, talk: Callable[[Client, SharedClock], None]):
    """Plays the real Claude Code; gives what it printed."""
    found: list[Run] = []

    def play(url: str, clock: SharedClock) -> None:
        client = Client(binary, url, work)
        talk(client, clock)
        found.append(client.results)

    return play, found


def demo(*, pauses: float = 1.0, bare: bool = False, chosen: Callable[[str], bool] = lambda _: True):
    """Plays the bundled sessions with their pauses stretched; with `bare` by a client that sets no breakpoint."""
    cue = Cue()
    past = [copy.deepcopy(session) for session in sessions() if session.days_ago is not None and chosen(session.id)]

    def play(url: str, clock: SharedClock) -> None:
        player = Player(cue=cue, clock=clock)
        with _asking(bare=bare):
            player.past(url, [stretched(session, pauses) for session in past], lambda _: None)

    return cue, play


def stretched(session, by: float):
    from msgspec.structs import replace

    if by == 1.0:
        return session
    threads = [
        replace(thread, calls=[replace(call, at=round(call.at * by)) for call in thread.calls])
        for thread in session.threads
    ]
    return replace(session, threads=threads)


@contextmanager
def _asking(*, bare: bool):
    """The demo's client without the project in its path, which the provider does not know; `bare`: no breakpoints."""
    request, marked, system = Conversation.request, Conversation._with_mark, Conversation._system

    def straight(self, call):
        path, headers, body = request(self, call)
        return path[path.index("/v1/") :], headers, body

    Conversation.request = straight
    if bare:
        Conversation._with_mark = lambda self, message: {**message, "content": list(message["content"])}
        Conversation._system = lambda self: [
            {key: value for key, value in block.items() if key != "cache_control"} for block in system(self)
        ]
    try:
        yield
    finally:
        Conversation.request, Conversation._with_mark, Conversation._system = request, marked, system
