"""What the default policy does to recorded sessions on the wire: `scripts/check_policy.py DATA [--config FILE]`.

DATA is a folder with `transcripts/`. Every session is played twice against the fake provider, which bills by a prompt
cache of its own: directly, and through a real gateway. Prints each bar with its figure; ends with 1 if any fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from build_demo import Pick, Repository, session
from underspend.cli.demo_bills import Bills, Pair, acting, markdown, paired
from underspend.config import load
from underspend.gateway.serve import Parts, serve
from underspend.reports.savings import savings
from underspend.testing.demo import Cue, Player, PlayError, ReplayClock, Session
from underspend.testing.fake_upstream import FakeUpstream, PriceList, run_in_thread

MOST_ON_A_SESSION = 2
SAVINGS_WITHIN = 1
APART_DAYS = 1.5
SUCCESSORS = {"opus": "claude-opus-4-6", "sonnet": "claude-sonnet-4-6", "haiku": "claude-haiku-4-5-20251001"}
SETTLE_SECONDS = 10
_SWITCH_SECONDS = 0.0005

Row = tuple[str, bool, str]
Hits = tuple[int, int]


def recorded(folder: Path) -> Iterator[Session]:
    """The sessions of a folder of transcripts, one after the other; those without a call are left out."""
    files = sorted(folder.glob("*.jsonl"))
    for number, file in enumerate(files):
        name = file.stem.partition("__")[0]
        pick = Pick(file.stem, Repository(f"recorded/{name}", "", ""), file.name, APART_DAYS * (len(files) - number))
        try:
            made = session(file.read_text(encoding="utf-8"), pick)
        except (ValueError, KeyError, IndexError, StopIteration, TypeError) as error:
            print(f"left out {file.name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        yield made


def _served(made: Session) -> Session:
    """The session with models that are no longer offered replaced by those that came after them."""
    threads = [
        replace(thread, calls=[replace(call, model=_model(call.model)) for call in thread.calls])
        for thread in made.threads
    ]
    return replace(made, threads=threads)


def _model(name: str) -> str:
    if PriceList().rates(name) is not None:
        return name
    return next((model for family, model in SUCCESSORS.items() if family in name), name)


def playable(sessions: Iterable[Session]) -> Iterator[Session]:
    """Those that the provider takes as they were recorded: in some, texts were lost or grow past what it takes."""
    for each in map(_served, sessions):
        cue, clock = Cue(), ReplayClock()
        with run_in_thread(cue, clock=clock) as provider:
            try:
                Player(cue=cue, clock=clock, direct=True).past(provider.url, [each], lambda _: None)
            except PlayError as error:
                print(f"left out {each.source.path}: {error}"[:200], file=sys.stderr)
                continue
        yield each


class Proof:
    """Plays sessions without a gateway and through one; `bills` is there once `run` has ended."""

    def __init__(self, sessions: Sequence[Session], config: str) -> None:
        self.bills: Bills | None = None
        self.hits: list[tuple[Hits, Hits]] = []

        self.failure: Exception | None = None
        self._sessions = sessions
        self._config = config
        self._cue, self._clock = Cue(), ReplayClock()
        self._parts: Parts | None = None

    def run(self) -> None:
        """Play both ways. `failure` is what went wrong, if something did."""
        with (
            tempfile.TemporaryDirectory() as home,
            run_in_thread(self._cue, clock=self._clock) as alone,
            run_in_thread(self._cue, clock=self._clock) as behind,
        ):
            Player(cue=self._cue, clock=self._clock, direct=True).past(alone.url, self._sessions, lambda _: None)
            (Path(home) / "config.toml").write_text(self._config, encoding="utf-8")
            flags = {"gateway.port": 0, "upstream.anthropic": behind.url}
            settings = load(home=Path(home), flags=flags, environ={})

            def ready(url: str) -> None:
                threading.Thread(target=self._play, args=(url, alone, behind)).start()

            serve(settings, self._watched, ready, clock=self._clock)

    def _watched(self, parts: Parts) -> object:
        self._parts = parts

        async def nobody(scope: object, receive: object, send: object) -> None:
            """A page that nobody asks for."""

        return nobody

    def _play(self, url: str, alone: FakeUpstream, behind: FakeUpstream) -> None:
        try:
            Player(cue=self._cue, clock=self._clock).past(url, self._sessions, lambda _: None)
            self.bills = self._settled(alone, behind)
            before, after = hits_of(alone), hits_of(behind)
            self.hits = [(before[each.id], after[each.id]) for each in self._sessions]
        except Exception as error:  # noqa: BLE001  # told to whoever runs this, after the gateway has stopped
            self.failure = error
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def _settled(self, alone: FakeUpstream, behind: FakeUpstream) -> Bills:
        assert self._parts is not None
        deadline = time.monotonic() + SETTLE_SECONDS
        made = savings(self._parts.engine)
        while made.billed.paid != behind.bill().picodollars and time.monotonic() < deadline:
            time.sleep(0.1)
            made = savings(self._parts.engine)
        on = acting(self._parts.settings.steps)
        return Bills(pairs=paired(self._sessions, alone, behind), said=made.billed.saved, on=on)


def hits_of(provider: FakeUpstream) -> dict[str | None, Hits]:
    """By session, the prompt tokens that were read from the cache, and all of them."""
    read, prompt = Counter[str | None](), Counter[str | None]()
    for seen in provider.requests:
        usage = seen.usage or {}
        for lane in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"):
            prompt[seen.session] += usage.get(lane) or 0
        read[seen.session] += usage.get("cache_read_input_tokens") or 0
    return {session: (read[session], tokens) for session, tokens in prompt.items()}


def dearer(pair: Pair) -> float:
    """By how many percent a session was dearer with us."""
    return -100 * pair.saved / pair.without if pair.without else 0.0


def rows(bills: Bills, hits: Sequence[tuple[Hits, Hits]]) -> Iterator[Row]:
    """Each bar: its name, whether it holds, its figure."""
    total = bills.total
    on = ", ".join(bills.on)
    yield (
        "the default policy's bill is not above the direct one",
        total.paid <= total.without,
        f"{-dearer(total):.2f} % of {total.without / 1e12:.2f} USD saved in {len(bills.pairs)} sessions ({on})",
    )
    worst = max(bills.pairs, key=dearer)
    yield (
        f"no session is dearer by more than {MOST_ON_A_SESSION} %",
        dearer(worst) <= MOST_ON_A_SESSION,
        f"{worst.session}: {dearer(worst):+.2f} %",
    )
    before, after = (100 * sum(each[at][0] for each in hits) / sum(each[at][1] for each in hits) for at in (0, 1))
    less = sum(with_us[0] * alone[1] < alone[0] * with_us[1] for alone, with_us in hits)
    yield (
        "no smaller share of the prompts is read from the cache",
        after >= before,
        f"{before:.2f} to {after:.2f} %; smaller in {less} of {len(hits)} sessions",
    )
    off = 100 * abs(bills.said - total.saved) / abs(total.saved) if total.saved else 0.0
    yield (
        f"`underspend savings` agrees with the difference of the bills to within {SAVINGS_WITHIN} %",
        off <= SAVINGS_WITHIN,
        f"{off:.2f} % off",
    )


def main() -> int:
    """Play, print, and say whether every bar holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--config", type=Path, help="a config.toml in place of the defaults")
    parser.add_argument("--table", action="store_true", help="print every session's bills too")
    asked = parser.parse_args()
    folder = asked.data / "transcripts"
    if not folder.is_dir():
        print(f"{folder} is not there: name the folder that holds transcripts/")
        return 2
    sys.setswitchinterval(_SWITCH_SECONDS)
    proof = Proof(list(playable(recorded(folder))), asked.config.read_text(encoding="utf-8") if asked.config else "")
    proof.run()
    if proof.bills is None:
        print(f"FAIL the sessions could not be played: {proof.failure}")
        return 1
    if asked.table:
        print(markdown(proof.bills))
    found = list(rows(proof.bills, proof.hits))
    for name, holds, figure in found:
        print(f"{'ok  ' if holds else 'FAIL'} {name}: {figure}")
    return 0 if all(holds for _, holds, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
