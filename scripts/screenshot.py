"""Makes docs/images/overview.png: a month of two people's Claude Code sessions, drawn at random from one seed.

`python scripts/screenshot.py --out DIR` also takes every page in light, dark and phone width, for looking at.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine, insert

from underspend.config import Settings, load
from underspend.core.reply import Bill
from underspend.core.usage import Lane, Metered, Unit, Usage
from underspend.gateway.clock import SystemClock
from underspend.gateway.live import Live
from underspend.gateway.status import Status
from underspend.pricing.cost import cost
from underspend.stores.database import open_database
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, bill_lines, blocks, calls, decisions, prompts
from underspend.web import app

NOW = datetime(2026, 11, 20, 16, 40, tzinfo=UTC)
PROJECTS = (("storefront", 5), ("ledger-service", 4), ("mobile-app", 2), ("infra", 1))
MODELS = (("claude-opus-5-5", 5), ("claude-sonnet-5-5", 6), ("claude-fable-5-2", 1))
BUSY = (*[(3, 4, 5, 6)] * 5, (0, 1, 2), (0,))
LOOKS: tuple[tuple[str, Any, int], ...] = (("light", "light", 1280), ("dark", "dark", 1280), ("phone", "dark", 390))
COLD, AGENTS, FULL = 0.04, 0.03, 170_000
OUTPUT = Path(__file__).parent.parent / "docs" / "images" / "overview.png"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


@dataclass
class Month:
    """Draws sessions into rows."""

    dice: random.Random
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)

    def draw(self) -> None:
        for back in range(58, -1, -1):
            day = (NOW - timedelta(days=back)).replace(hour=8, minute=0)
            for _ in range(self.dice.choice(BUSY[day.weekday()])):
                self.session(day + timedelta(minutes=self.dice.randint(5, 540)))

    def session(self, at: datetime) -> None:
        name = blake2b(self.dice.randbytes(8), digest_size=16).hexdigest()
        project = self.dice.choices([p for p, _ in PROJECTS], [w for _, w in PROJECTS])[0]
        model = self.dice.choices([m for m, _ in MODELS], [w for _, w in MODELS])[0]
        who = {"session": name, "project": project}
        self.side_call(at, who)
        cached, fresh = 0, self.dice.randint(17_000, 26_000)
        for _ in range(int(self.dice.lognormvariate(3.1, 0.8))):
            if at >= NOW:
                return
            cold = self.dice.random() < COLD
            at += timedelta(seconds=self.dice.randint(400, 2600) if cold else self.dice.randint(6, 90))
            read, wrote = (0, cached + fresh) if cold else (cached, fresh)
            output = int(self.dice.lognormvariate(6.0, 0.9)) + 40
            usage = Usage(input=self.dice.randint(2, 9), cache_write_5m=wrote, cache_read=read, output=output)
            self.call(at, usage, model, role="main", **who)
            if self.dice.random() < AGENTS:
                self.subagent(at, model, who)
            cached, fresh = read + wrote, output + int(self.dice.lognormvariate(7.0, 1.1))
            if cached > FULL:
                cached, fresh = 0, 30_000

    def side_call(self, at: datetime, who: dict[str, str]) -> None:
        usage = Usage(input=self.dice.randint(400, 3000), output=self.dice.randint(12, 60))
        self.call(at, usage, "claude-haiku-5-5", asked="claude-haiku-4-5", role="side", **who)

    def subagent(self, at: datetime, model: str, who: dict[str, str]) -> None:
        sent = "claude-sonnet-5-5" if model == "claude-opus-5-5" else model
        cached, fresh = 0, 14_000
        for _ in range(self.dice.randint(4, 16)):
            at += timedelta(seconds=self.dice.randint(4, 20))
            usage = Usage(input=4, cache_write_5m=fresh, cache_read=cached, output=self.dice.randint(80, 700))
            self.call(at, usage, sent, asked=model, role="subagent", agent="a1", agent_type="Explore", **who)
            cached, fresh = cached + fresh, self.dice.randint(800, 6000)

    def call(self, at: datetime, usage: Usage, model: str, *, asked: str = "", **more: str) -> None:
        if at >= NOW:
            return
        asked = asked or model
        metered = Metered(provider="anthropic", model=model, units=(Unit("message", usage),), reported=usage)
        bill, started = cost(metered, at=micros(at)), micros(at) + self.dice.randrange(10**6)
        before = cost(metered, at=micros(at), model=asked)
        name = blake2b(f"{started}".encode(), digest_size=8).hexdigest()
        length = 1_500_000 + usage.output * 14_000
        self.rows.append(
            {
                "id": name,
                "started_at": started,
                "ended_at": started + length,
                "state": "settled",
                "outcome": "ok",
                "endpoint": "messages",
                "provider": "anthropic",
                "upstream": "https://api.anthropic.com",
                "status": 200,
                "stream": True,
                "model_asked": asked,
                "model_sent": model,
                "model_served": model,
                "billing": "api_key",
                "stop_reason": "tool_use",
                "message_id": f"msg_{name}",
                "evidence": bill.evidence.value,
                "agent": None,
                "agent_type": None,
                "duration_us": length,
                "first_byte_us": 900_000,
                "overhead_us": self.dice.randint(500, 1600),
                "without_us_pico": before.total,
                **money(bill),
                **dict(zip(LANE_TOKENS, (usage.lane(lane) for lane in Lane), strict=True)),
                **more,
            }
        )
        self.lines += bill_rows(name, bill)
        if asked != model:
            self.choices.append(decision(name, model, more["role"], before.total, bill.total))


def money(bill: Bill) -> dict[str, int]:
    return {
        **dict(zip(LANE_COSTS, (bill.lane(lane) for lane in Lane), strict=True)),
        "cost_pico": bill.total,
        "extra_pico": 0,
    }


def bill_rows(name: str, bill: Bill) -> list[dict[str, Any]]:
    return [
        {
            "call_id": name,
            "n": n,
            "unit": line.unit,
            "kind": line.kind,
            "model": line.model,
            "lane": line.lane.value,
            "tokens": line.tokens,
            "rate_pico": line.rate,
            "amount_pico": line.amount,
        }
        for n, line in enumerate(bill.lines)
    ]


def decision(name: str, model: str, role: str, before: int, after: int) -> dict[str, Any]:
    why = f"{role} calls go to a smaller model"
    row = {"call_id": name, "n": 0, "strategy": "route", "edit": "SetModel", "detail": f"model → {model}", "why": why}
    return {**row, "applied": True, "before_pico": before, "after_pico": after}


def prompt_rows(call: dict[str, Any], dice: random.Random) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    tools = ("Bash", "Read", "Edit", "Write", "Grep", "Glob", "Task", "TodoWrite", "WebFetch")
    pieces = [("tools", "tool", name, dice.randint(300, 2600)) for name in tools]
    pieces += [("system", "text", "system 1", 60), ("system", "text", "system 2", 3900)]
    pieces += [("messages", "text", "user: CLAUDE.md", 5200), ("messages", "text", "user", 140)]
    room = call["cache_read_tokens"] + call["cache_write_5m_tokens"] - sum(piece[3] for piece in pieces)
    while room > 0:
        size = min(room, int(dice.lognormvariate(6.5, 1.2)) + 60)
        kind = dice.choice(("tool_use", "tool_result", "tool_result", "text"))
        pieces.append(("messages", kind, dice.choice(("Read", "Bash", "Grep", "Edit")), size))
        room -= size
    found = []
    for n, (section, kind, label, tokens) in enumerate(pieces):
        digest = blake2b(f"{n}{label}{tokens}".encode(), digest_size=16).digest()
        row = {"digest": digest, "section": section, "kind": kind, "label": label}
        found.append({**row, "size": tokens * 4, "tokens": tokens})
    marks = json.dumps({"10": "5m", str(len(pieces) - 1): "5m"})
    digests = b"".join(row["digest"] for row in found)
    return found, {"call_id": call["id"], "digests": digests, "breakpoints": marks}


def fill(engine: Engine) -> dict[str, Any]:
    month = Month(random.Random(20))  # the same month every time
    month.draw()
    chosen = sorted(month.rows, key=lambda row: row["cache_read_tokens"])[-len(month.rows) // 6]
    pieces, prompt = prompt_rows(chosen, month.dice)
    with engine.begin() as connection:
        connection.execute(insert(calls), month.rows)
        connection.execute(insert(bill_lines), month.lines)
        connection.execute(insert(decisions), month.choices)
        connection.execute(insert(blocks), pieces)
        connection.execute(insert(prompts), [prompt])
    return chosen


@contextmanager
def served(engine: Engine, settings: Settings) -> Iterator[str]:
    status = Status(clock=SystemClock(), version="0.1.0", listening="http://127.0.0.1:4100")
    page = app.create(engine=engine, live=Live(), status=status, settings=settings, now=lambda: micros(NOW))
    server = uvicorn.Server(uvicorn.Config(page, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join()


def take(page: Page, url: str, file: Path, *, whole: bool) -> None:
    page.goto(url)
    page.wait_for_selector("main > *")
    page.wait_for_timeout(250)
    page.screenshot(path=file, full_page=whole)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a folder for pictures of every page")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="a Chromium to use")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = load(home=Path(folder), flags={"report.timezone": "UTC"}, environ={})
        engine = open_database(settings.ledger.url)
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=ARGUMENTS)
        with served(engine, settings) as url:
            if asked.out:
                take(browser.new_page(), f"{url}/_/", asked.out / "empty.png", whole=True)
            chosen = fill(engine)
            if asked.out:
                pages = {"overview": "", "call": f"calls/{chosen['id']}", "session": f"sessions/{chosen['session']}"}
                for name, path in pages.items():
                    for look, scheme, width in LOOKS:
                        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                        take(page, f"{url}/_/{path}", asked.out / f"{name}-{look}.png", whole=True)
            else:
                OUTPUT.parent.mkdir(parents=True, exist_ok=True)
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                take(page, f"{url}/_/", OUTPUT, whole=False)
        browser.close()
        engine.dispose()


if __name__ == "__main__":
    main()
