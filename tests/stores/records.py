"""Rows for the tests of the stores."""

from __future__ import annotations

import json
from typing import Any

from underspend.core.ports import PromptParts, Row, Settlement


def call(name: str = "c1", **more: Any) -> dict[str, Any]:
    row = {
        "id": name,
        "started_at": 10,
        "state": "open",
        "endpoint": "messages",
        "provider": "anthropic",
        "upstream": "u",
    }
    return {**row, **more}


def line(name: str, n: int, amount: int = 5) -> Row:
    row = {"unit": 0, "kind": "message", "model": "m", "lane": "input", "tokens": 1, "rate_pico": amount}
    return {"call_id": name, "n": n, **row, "amount_pico": amount}


def decision(name: str, n: int = 0) -> Row:
    return {"call_id": name, "n": n, "strategy": "budget", "edit": "Warn", "why": "near", "applied": True}


def settlement(name: str = "c1", *, lines: int = 1, prompt: PromptParts | None = None, **more: Any) -> Settlement:
    return Settlement(
        call=call(name, **{"state": "settled", "outcome": "ok", "cost_pico": 5 * lines, **more}),
        lines=[line(name, n) for n in range(lines)],
        decisions=[decision(name)],
        prompt=prompt,
    )


def prompt(*texts: str) -> PromptParts:
    messages = [{"role": "user", "content": text} for text in texts]
    return PromptParts(tools=b"[]", system=b'"be brief"', messages=json.dumps(messages).encode())
