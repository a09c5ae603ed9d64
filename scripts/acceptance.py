"""Holds the meters and the price list against recorded traffic: `scripts/acceptance.py DATA`.

DATA is a folder with `provider-traffic/`: recordings of any kind that `recordings.py` reads, and
`expected-usage.json` with the usage and the list price of some of them. Prints each bar with its figure; ends with 1
if any bar fails.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from recordings import Exchange, exchanges, files
from underspend.core.errors import MeterError
from underspend.core.money import to_usd
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_reply import AnthropicJsonMeter, AnthropicStreamMeter
from underspend.formats.gemini_reply import GeminiMeter
from underspend.formats.meter import ReplyMeter, meter
from underspend.formats.openai_reply import OpenAiMeter
from underspend.pricing.cost import cost

AT = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**6
EXPECTED = "expected-usage.json"
CLOSE = Decimal("1e-9")
SHOWN = 10


@dataclass(slots=True)
class Bar:
    """One thing that must hold, how often it did, and where it did not."""

    name: str
    figure: str = ""
    failures: list[str] = field(default_factory=list)

    def check(self, holds: object, where: str) -> bool:
        if not holds:
            self.failures.append(where)
        return bool(holds)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: acceptance.py DATA")
        return 2
    root = Path(arguments[0]) / "provider-traffic"
    if not (root / EXPECTED).is_file():
        print(f"there is no {root / EXPECTED}")
        return 2
    bars = [bar for run in (readable, golden, others, openrouter, prompts) for bar in run(root)]
    for bar in bars:
        print(f"{'FAIL' if bar.failures else 'ok  '}  {bar.name}: {bar.figure}")
        for failure in bar.failures[:SHOWN]:
            print(f"        {failure}")
        if len(bar.failures) > SHOWN:
            print(f"        … and {len(bar.failures) - SHOWN} more")
    return 1 if any(bar.failures for bar in bars) else 0


def readable(root: Path) -> Iterator[Bar]:
    """Every file of a known kind is a recording that can be read, and those with an answer are there."""
    bar = Bar("recordings can be read")
    found = [path for path in files(root) if path.name != EXPECTED]
    for path in found:
        try:
            held = exchanges(path)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one file, the others are looked at
            bar.failures.append(f"{path.relative_to(root)}: {type(error).__name__}: {error}".splitlines()[0])
        else:
            bar.check(held, f"{path.relative_to(root)}: it holds nothing")
    missing = [name for name in expected_of(root) if not (root / name).is_file()]
    bar.failures += [f"{name}: not there" for name in missing]
    bar.figure = f"{len(found) + len(missing) - len(bar.failures)}/{len(found) + len(missing)} files"
    yield bar


def expected_of(root: Path) -> Any:
    return json.loads((root / EXPECTED).read_text(encoding="utf-8"))["files"]


def recorded(path: Path) -> list[Exchange]:
    """What a file holds; nothing where it cannot be read, which is a bar of its own."""
    try:
        return [] if path.name == EXPECTED else exchanges(path)
    except Exception:  # noqa: BLE001  # see `readable`
        return []


def golden(root: Path) -> Iterator[Bar]:
    """Recordings with a known answer: exact usage, units and bill, from the whole body and from chunks of it."""
    expected = expected_of(root)
    usage, bills = Bar("usage is exact, whole and in chunks"), Bar("bills are exact")
    right = unpriced = 0
    for name, wanted in expected.items():
        found = [exchange for exchange in recorded(root / name) if _provider(exchange) == "anthropic"]
        whole = usage.check(len(found) == len(wanted), f"{name}: {len(found)} replies, {len(wanted)} expected")
        for number, (exchange, want) in enumerate(zip(found, wanted, strict=False)):
            where = f"{name} #{number}"
            metered = meter(exchange.reply)
            agrees = _usage_is(metered, want) and in_chunks(exchange.reply, metered, seed=where) == metered
            whole = usage.check(agrees, f"{where}: {metered.reported} {metered.units}") and whole
            problem = _bill_problem(metered, want["list_usd"])
            bills.check(problem is None, f"{where}: {problem}")
            unpriced += want["list_usd"] is None
        right += whole
    replies = sum(map(len, expected.values()))
    usage.figure = f"{right}/{len(expected)} recordings, {replies - len(usage.failures)}/{replies} replies"
    bills.figure = f"{replies - len(bills.failures)}/{replies} replies, {unpriced} of them unpriced on both sides"
    yield usage
    yield bills


def _usage_is(metered: Metered, want: Any) -> bool:
    final = want["final_usage"]
    model = metered.model == want["model"]
    stop = want["stop_reason"] is None or metered.stop_reason == want["stop_reason"]
    units = tuple(unit.usage for unit in _as_reported(metered).units)
    return model and stop and metered.reported == lanes(final, {}) and units == _units(final)


def _units(final: Any) -> tuple[Usage, ...]:
    split = final.get("cache_creation") or {}
    return tuple(lanes(each, split) for each in final.get("iterations") or [final])


def lanes(usage: Any, split: Any) -> Usage:
    """The lanes of a recorded usage, read without the code under test."""
    written = usage.get("cache_creation_input_tokens") or 0
    hour = min(written, (usage.get("cache_creation") or split).get("ephemeral_1h_input_tokens") or 0)
    read = usage.get("cache_read_input_tokens") or 0
    return Usage(usage.get("input_tokens") or 0, written - hour, hour, read, usage.get("output_tokens") or 0)


def _as_reported(metered: Metered) -> Metered:
    """Without the output that is only estimated: of a reply that was cut the answers know what was reported."""
    if metered.complete:
        return metered
    return replace(metered, units=(*metered.units[:-1], Unit("message", metered.reported)))


def _bill_problem(metered: Metered, usd: float | None) -> str | None:
    bill = cost(_as_reported(metered), at=AT)
    if usd is None:
        return None if bill.unpriced else f"${to_usd(bill.total)}, where no price is known"
    if bill.unpriced:
        return f"unpriced: {bill.unpriced}"
    wanted = Decimal(str(usd))
    return None if abs(to_usd(bill.total) - wanted) <= CLOSE * wanted else f"${to_usd(bill.total)}, not ${wanted}"


def _provider(exchange: Exchange) -> str | None:
    try:
        return meter(exchange.reply).provider
    except MeterError:
        return None


def meter_for(body: bytes, provider: str) -> ReplyMeter:
    """A fresh meter of the kind that `meter` chose for a body."""
    stream = b"data:" in body and not body.lstrip().startswith((b"{", b"["))
    makers: dict[str, Callable[[], ReplyMeter]] = {
        "anthropic": AnthropicStreamMeter if stream else AnthropicJsonMeter,
        "google": lambda: GeminiMeter(stream=stream),
    }
    return makers.get(provider, lambda: OpenAiMeter(stream=stream, provider=provider))()


def in_chunks(body: bytes, like: Metered, *, seed: str) -> Metered:
    """The reply metered from pieces of one byte to many, cut by a seeded hand."""
    dice = random.Random(seed)  # a test's dice
    taking = meter_for(body, like.provider)
    at = 0
    while at < len(body):
        size = dice.choice((1, 2, 3, 17, 256, 4096))
        taking.feed(body[at : at + size])
        at += size
    return taking.finish()


def others(root: Path) -> Iterator[Bar]:
    """Every recording: metered, or said in one line why not."""
    bar = Bar("every other recording is metered or explained")
    expected = set(expected_of(root))
    counts: dict[str, int] = {}
    for path in files(root):
        name = path.relative_to(root).as_posix()
        if name in expected:
            continue
        for number, exchange in enumerate(recorded(path)):
            kind = _outcome(exchange, f"{name} #{number}", bar)
            counts[kind] = counts.get(kind, 0) + 1
    bar.figure = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    yield bar


def _outcome(exchange: Exchange, where: str, bar: Bar) -> str:
    try:
        metered = meter(exchange.reply)
    except MeterError as error:
        bar.check(len(str(error).splitlines()) == 1, f"{where}: {error!r}")
        if _is_converse(exchange.reply):
            return "Bedrock Converse (no meter reads it)"
        has_usage = exchange.textual and _reports_usage(exchange.reply)
        bar.check(exchange.status >= 400 or exchange.counts_tokens or not has_usage, f"{where}: {error}")  # noqa: PLR2004
        return "without usage"
    bar.check(metered.reported.prompt or not _reports_usage(exchange.reply), f"{where}: no tokens")
    bar.check(in_chunks(exchange.reply, metered, seed=where) == metered, f"{where}: differs in chunks")
    return metered.provider


def _reports_usage(body: bytes) -> bool:
    """Whether the body, or an event of it, counts prompt tokens anywhere."""
    return any(_counts(value) for value in _values(body))


def _values(body: bytes) -> Iterator[Any]:
    for text in (body, *(line[5:] for line in body.splitlines() if line.startswith(b"data:"))):
        try:
            yield json.loads(text, parse_float=Decimal)
        except ValueError:
            continue


def _counts(value: Any) -> bool:
    if isinstance(value, dict):
        return any(value.get(name) for name in _COUNTS) or any(map(_counts, value.values()))
    return isinstance(value, list) and any(map(_counts, value))


_COUNTS = ("input_tokens", "prompt_tokens", "promptTokenCount")


def _is_converse(body: bytes) -> bool:
    return b'"inputTokens"' in body and (b'"stopReason"' in body)


def openrouter(root: Path) -> Iterator[Bar]:
    """OpenRouter says what each reply cost it: our list must give the same, where it has the model."""
    bar = Bar("OpenRouter's own cost is ours")
    agreed: dict[str, int] = {}
    unpriced = 0
    for path in files(root):
        for number, exchange in enumerate(recorded(path)):
            theirs, created = _own_cost(exchange)
            if not theirs:
                continue
            metered = meter(exchange.reply, provider="openrouter")
            if cost(metered, at=AT).unpriced:
                unpriced += 1
                continue
            by = _agreeing(metered, theirs, created)
            agreed[by] = agreed.get(by, 0) + 1
            ours = to_usd(cost(metered, at=AT).total)
            bar.check(by, f"{path.relative_to(root)} #{number}: ours ${ours}, theirs ${theirs}")
    total = sum(agreed.values())
    lists = ", ".join(f"{count} {by}" for by, count in agreed.items() if by)
    bar.figure = f"{total - len(bar.failures)}/{total} replies: {lists} ({unpriced} without a price in our list)"
    yield bar


def _agreeing(metered: Metered, theirs: Decimal, created: int) -> str:
    """Which of our lists gives their cost: its history is known from when prices were seen, not when they began."""
    vendor, _, model = (metered.model or "").partition("/")
    own = replace(metered, provider=vendor, model=model)
    lists = {
        "at the day's prices": (metered, created),
        "at today's": (metered, AT),
        "at the vendor's own of the day": (own, created),
    }
    # Half a pico-dollar a token covers the repeating decimals of OpenRouter's rates and nothing else.
    slack = CLOSE * theirs + Decimal(metered.usage.prompt + metered.usage.output) / 2 / 10**12
    for by, (reply, at) in lists.items():
        bill = cost(reply, at=at)
        if not bill.unpriced and abs(to_usd(bill.total) - theirs) <= slack:
            return by
    return ""


def _own_cost(exchange: Exchange) -> tuple[Decimal, int]:
    """What OpenRouter says the reply cost, and when it was made; zero where it says nothing."""
    if "openrouter.ai" not in exchange.url:
        return Decimal(0), 0
    for value in _values(exchange.reply):
        reply = (value.get("response") or value) if isinstance(value, dict) else {}
        usage = reply.get("usage")
        if isinstance(usage, dict) and usage.get("cost"):
            return Decimal(usage["cost"]), int(reply.get("created_at") or reply["created"]) * 10**6
    return Decimal(0), 0


def prompts(root: Path) -> Iterator[Bar]:
    """Request bodies: digests that outlast a change of notation, and an edit that touches the model's bytes alone."""
    digests, edits = Bar("digests do not depend on notation or memory"), Bar("an edit changes the model's bytes alone")
    shared = Anatomist()
    count = 0
    for path in files(root):
        for number, exchange in enumerate(recorded(path)):
            request = anthropic_request.read(exchange.request) if exchange.request else None
            if request is None or not request.messages.startswith(b"[") or not request.model:
                continue
            count += 1
            where = f"{path.relative_to(root)} #{number}"
            digests.check(_same_digests(request, shared), where)
            edits.check(_only_the_model(request.raw, request.model), where)
    digests.figure = f"{count - len(digests.failures)}/{count} requests"
    edits.figure = f"{count - len(edits.failures)}/{count} requests"
    yield digests
    yield edits


def _same_digests(request: anthropic_request.MessagesRequest, shared: Anatomist) -> bool:
    other = anthropic_request.read(json.dumps(_reordered(_renoted(json.loads(request.raw))), indent=1).encode())
    if other is None:
        return False
    seen = [
        anatomist.anatomy(tools=each.tools, system=each.system, messages=each.messages)
        for anatomist, each in ((shared, request), (shared, request), (Anatomist(), request), (Anatomist(), other))
    ]
    digests = [[block.digest for block in anatomy.blocks] for anatomy in seen]
    return bool(digests[0]) and all(each == digests[0] for each in digests) and len({each.turn for each in seen}) == 1


def _renoted(body: Any) -> Any:
    """The same request as a client might write it next time: strings as lists of one block, and the reverse."""
    return {**body, "messages": [{**each, "content": _flipped(each.get("content"))} for each in body["messages"]]}


def _reordered(body: Any) -> Any:
    """The keys of envelopes in another order; inside a tool's input or schema their order is content."""
    made = dict(reversed(body.items()))
    for name in {"tools", "system", "messages"} & made.keys():
        if isinstance(made[name], list):
            made[name] = [dict(reversed(each.items())) for each in made[name]]
    for message in made["messages"]:
        if isinstance(message["content"], list):
            message["content"] = [dict(reversed(part.items())) for part in message["content"]]
    return made


def _flipped(content: Any) -> Any:
    if isinstance(content, str):
        return [{"type": "text", "text": content, "cache_control": {"type": "ephemeral"}}]
    if isinstance(content, list) and len(content) == 1:
        part = {name: value for name, value in content[0].items() if name != "cache_control"}
        return part["text"] if part.keys() == {"type", "text"} else [part]
    return content


def _only_the_model(raw: bytes, model: str) -> bool:
    other = "claude-of-another-name"
    try:
        edited = anthropic_request.with_model(raw, other)
        same = anthropic_request.with_model(edited, model)
    except ValueError:
        return False
    there, back = json.loads(raw), json.loads(edited)
    return same == raw and back.pop("model") == other and there.pop("model") == model and there == back


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
