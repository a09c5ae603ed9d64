"""Two gateways with 32 clients each against one budget, whose clients leave and which are killed and started again.

Everything is real but the provider: two processes of `underspend up`, each with a ledger of its own, and one store
that both count in. In the tests it runs for some seconds; for longer, from the top of the repository:

    PYTHONPATH=src:tests/gateway python -m budget_hammer --seconds 600
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import aiohttp
import running

from underspend.config.zones import budget_zone
from underspend.core.budgets import Action, Budget, Subject, claims
from underspend.core.call import Call
from underspend.core.money import from_usd, show
from underspend.core.windows import window
from underspend.pricing.forecast import Forecast
from underspend.stores.holds.choose import open_holds
from underspend.testing.fake_upstream import Delivery, Reply, RequestView, run_in_thread

CAP = from_usd("5.00")
GATEWAYS, CLIENTS = 2, 32
HOLD_SECONDS = 12
MODEL = "claude-opus-5-5"
BUDGET = Budget(
    name="five", cap=CAP, window=window("rolling month"), zone=budget_zone("UTC"), action=Action.BLOCK, thresholds=()
)
CONFIG = """
[budgets.five]
usd = "5.00"
window = "rolling month"
action = "block"
thresholds = []

[budget_store]
url = "{url}"
hold_seconds = {seconds}
"""
HEADERS = {"x-api-key": "sk-ant-api03-hammer", "anthropic-version": "2023-06-01", "user-agent": "hammer"}


def now() -> int:
    return time.time_ns() // 1_000


def reply(view: RequestView) -> Reply:
    """A stream of a few events whose bill is up to three cents."""
    size = 100 + crc32(view.last_text.encode()) % 1_400
    return Reply(
        content="word " * min(size, int(view.json["max_tokens"])),
        output_tokens=min(size, int(view.json["max_tokens"])),
        delta_chars=800,
        delivery=Delivery(ttfb_ms=5, event_gap_ms=4),
    )


def asked(text: str, most: int) -> bytes:
    message = {"role": "user", "content": text}
    return json.dumps({"model": MODEL, "max_tokens": most, "stream": True, "messages": [message]}).encode()


def worst(body: bytes, most: int) -> int:
    size = len(body) + 1_024
    call = Call(id="", time=now(), provider="anthropic", endpoint="messages", model=MODEL, max_output=most)
    return Forecast().worst_case(
        Call(**{name: getattr(call, name) for name in call.__slots__} | {"prompt_ceiling": size})
    )


@dataclass
class Report:
    """What came of it. `highest` is the most that was settled and held at once, in pico-dollars."""

    answers: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    looks: int = 0
    highest: int = 0
    spent: int = 0
    ledgers: int = 0
    provider: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        answers = ", ".join(f"{count} {name}" for name, count in sorted(self.answers.items()))
        return (
            f"{answers}; {self.kills} kills; looked {self.looks} times, at most {show(self.highest)} of {show(CAP)} "
            f"settled and held; {show(self.spent)} settled, {show(self.ledgers)} in the ledgers, {show(self.provider)} "
            f"on the provider's bill; problems: {self.problems or 'none'}"
        )


class Hammer:
    def __init__(self, folder: Path, upstream: str, url: str = "") -> None:
        self.folder, self.upstream, self.report = folder, upstream, Report()
        self.chance = random.Random(1)
        self.url = url or f"sqlite:///{folder / 'shared.sqlite3'}"
        self.homes = [folder / f"g{n}" for n in range(GATEWAYS)]
        self.gateways: list[running.Running] = []
        self.halt = False

    def start(self, home: Path) -> running.Running:
        return running.start(home, self.upstream, config=CONFIG.format(url=self.url, seconds=HOLD_SECONDS))

    async def run(self, seconds: float, kill_every: float) -> None:
        self.gateways = [self.start(home) for home in self.homes]
        try:
            async with asyncio.TaskGroup() as group:
                for slot in range(GATEWAYS):
                    for n in range(CLIENTS):
                        group.create_task(self.client(slot, n))
                group.create_task(self.look())
                await self.kill(seconds, kill_every)
                self.halt = True
            self.close()
            self.gateways = [self.start(home) for home in self.homes]
            await asyncio.to_thread(self.until_nothing_is_held)
            await self.judge()
        finally:
            self.close()

    def close(self) -> None:
        for each in self.gateways:
            if each.process.poll() is None:
                each.stop()
            each.process.stdout.close()
        self.gateways = []

    async def kill(self, seconds: float, kill_every: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(kill_every)
            slot = self.chance.randrange(GATEWAYS)
            self.gateways[slot].kill()
            self.gateways[slot].process.stdout.close()
            self.report.kills += 1
            self.gateways[slot] = await asyncio.to_thread(self.start, self.homes[slot])

    async def client(self, slot: int, n: int) -> None:
        chance = random.Random(f"{slot} {n}")
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            count = 0
            while not self.halt:
                count += 1
                most = int(100 * 250 ** chance.random())
                body = asked(f"{slot} {n} {count}", most)
                try:
                    name = await self.call(session, slot, body, chance)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    name = "killed"
                    await asyncio.sleep(0.2)
                self.report.answers[name] += 1
                if name == "refused":
                    await asyncio.sleep(chance.random() / 5)

    async def call(self, session: aiohttp.ClientSession, slot: int, body: bytes, chance: random.Random) -> str:
        url = f"{self.gateways[slot].url}/v1/messages" if self.gateways else ""
        timeout = aiohttp.ClientTimeout(total=20)
        async with session.post(url, data=body, timeout=timeout) as response:
            if response.status == 402:
                return "refused"
            if response.status != 200:
                self.report.problems.append(f"{response.status}: {(await response.text())[:200]}")
                return "failed"
            leaves_after = chance.randrange(1, 12)
            seen = 0
            async for _ in response.content.iter_any():
                seen += 1
                if seen == leaves_after:
                    response.close()
                    return "left"
        return "whole"

    async def look(self) -> None:
        holds = await asyncio.to_thread(open_holds, self.url, self.folder)
        try:
            while not self.halt:
                at = now()
                (standing,) = await asyncio.to_thread(holds.standings, self.claim(at), now=at)
                self.report.looks += 1
                self.report.highest = max(self.report.highest, standing.used)
                if standing.used > CAP:
                    self.report.problems.append(f"{show(standing.used)} settled and held")
                await asyncio.sleep(0.01)
        finally:
            holds.close()

    @staticmethod
    def claim(at: int):
        return claims((BUDGET,), Subject(model=MODEL), at)

    def until_nothing_is_held(self) -> None:
        """Wait until the holds have ended that a killed gateway left, and are settled where the ledger has the call."""
        holds, end = open_holds(self.url, self.folder), time.monotonic() + 2 * HOLD_SECONDS
        while holds.standings(self.claim(now()), now=now())[0].held and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(HOLD_SECONDS / 3 + 1)
        holds.close()

    async def judge(self) -> None:
        """After the holds have expired: the sums agree, what is left can be had, and no more."""
        holds = open_holds(self.url, self.folder)
        (standing,) = holds.standings(self.claim(now()), now=now())
        report = self.report
        report.spent, report.ledgers = standing.spent, sum(spent_in(home) for home in self.homes)
        if standing.held:
            report.problems.append(f"{show(standing.held)} is still held")
        if report.spent > CAP:
            report.problems.append(f"{show(report.spent)} is settled")
        if report.spent != report.ledgers:
            report.problems.append(f"{report.spent} settled where the ledgers have {report.ledgers}")
        left = CAP - report.spent
        tokens = max(0, (left - worst(asked("last", 10**5), 0)) // 20_000_000)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            if tokens:
                body = asked("last", tokens)
                report.answers["left over"] = left - worst(body, tokens)
                if await self.call(session, 0, body, random.Random(1)) == "refused":
                    report.problems.append(f"{show(left)} was left, and {show(worst(body, tokens))} was refused")
            if await self.call(session, 1, asked("beyond", 250_000), random.Random(1)) != "refused":
                report.problems.append("more than the cap was let through")
        holds.close()


def spent_in(home: Path) -> int:
    with closing(sqlite3.connect(home / "ledger.sqlite3", timeout=10)) as connection:
        return connection.execute("SELECT coalesce(sum(cost_pico), 0) FROM calls").fetchone()[0]


def hammer(folder: Path, seconds: float, *, kill_every: float = 2.5, limit: float = 120, url: str = "") -> Report:
    """Run it for so long, then hold the budget to what it promises."""
    with run_in_thread(reply) as upstream:
        made = Hammer(folder, upstream.url, url)
        asyncio.run(asyncio.wait_for(made.run(seconds, kill_every), seconds + limit))
        made.report.provider = upstream.bill().picodollars
    return made.report


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--kill-every", type=float, default=2.5)
    options.add_argument("--url", default="", help="of the store: redis://... [default: a SQLite file]")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = hammer(Path(folder), chosen.seconds, kill_every=chosen.kill_every, url=chosen.url)
    print(report)  # noqa: T201  # a program a developer runs
    sys.exit(bool(report.problems))


if __name__ == "__main__":
    main()
