"""Write `src/underspend/pricing/data/*.json` from genai-prices and the hand-written overlay.

    python scripts/build_prices.py                          # make prices
    python scripts/build_prices.py --witness PATH           # also compare with LiteLLM's model_prices JSON

Every number is an integer: pico-dollars per token, or per search or request. The output is sorted, one model to a
line, so that a price change is a one-line diff.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import tomllib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import types as genai
from genai_prices.data import providers as genai_providers

from underspend.core.money import PICO_PER_DOLLAR, PICO_PER_TOKEN_AT_ONE_DOLLAR_PER_MTOK
from underspend.pricing.catalogue import catalogue
from underspend.pricing.normalise import PROVIDERS
from underspend.pricing.table import Rates

PRICING = Path(__file__).parent.parent / "src" / "underspend" / "pricing"
GENAI = {provider.id: provider for provider in genai_providers}
LANES = {
    "input": "input_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "cache_read": "cache_read_mtok",
    "output": "output_mtok",
}
# Billed as what they fall back to when a provider lists no price of their own, as genai-prices does.
FALLBACK = {"cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "cache_read": "input"}
TIER_KEYS = ("processing", "speed", "service_tier")
PER_THOUSAND = {"web_search": "web_searches_kcount", "per_request": "requests_kcount"}
REPEATING_DIGITS = 8
MODEL_KEYS = ("aliases", "allows", "released_on", "retires_after", "retired_on", "min_cache", "context", "max_output")


class BuildError(Exception):
    """The sources cannot be turned into price files as they stand."""


def whole(amount: Decimal, what: str) -> int:
    """The integer, or the nearest one to a repeating decimal (a third of a cent), which is itself a rounded number."""
    repeats = len((amount % 1).normalize().as_tuple().digits) >= REPEATING_DIGITS
    if amount != int(amount) and not repeats:
        raise BuildError(f"{what}: {amount} is finer than a pico-dollar")
    return round(amount)


def per_token(usd_per_mtok: Decimal | str, what: str) -> int:
    return whole(Decimal(usd_per_mtok) * PICO_PER_TOKEN_AT_ONE_DOLLAR_PER_MTOK, what)


def instant(day: date | datetime) -> str:
    moment = day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at_prompt(price: Any, prompt: int) -> Decimal | None:
    """A genai-prices price for a prompt one token above `prompt`."""
    if not isinstance(price, genai.TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if prompt + 1 > tier.start), price.base)


def lanes(price: genai.ModelPrice, above: int, longer: dict[str, Any] | None, what: str) -> list[int | None]:
    """The five rates for prompts of more than `above` tokens."""
    found: dict[str, int | None] = {}
    for lane, key in LANES.items():
        value = at_prompt(getattr(price, key), above)
        if value is not None:
            found[lane] = per_token(value, what)
        elif lane == "cache_write_1h" and longer and price.cache_write_mtok is not None:
            short = found["cache_write_5m"] or 0
            found[lane] = whole(Decimal(short) * longer["by"][0] / longer["by"][1], what)
        else:
            found[lane] = found[FALLBACK[lane]] if lane in FALLBACK else None
    return list(found.values())


def table(price: genai.ModelPrice, longer: dict[str, Any] | None, what: str) -> dict[str, Any]:
    """A row without its dates."""
    starts = {tier.start for key in LANES.values() for tier in getattr(getattr(price, key), "tiers", ())}
    row: dict[str, Any] = {"rates": lanes(price, -1, longer, what)}
    if starts:
        row["tiers"] = [[start, lanes(price, start, longer, what)] for start in sorted(starts)]
    return row


def when(constraint: Any) -> dict[str, Any]:
    if isinstance(constraint, genai.StartDateConstraint):
        return {"since": instant(constraint.start_date)}
    if isinstance(constraint, genai.TimeOfDateConstraint):
        start, end = (moment.hour * 60 + moment.minute for moment in (constraint.start_time, constraint.end_time))
        return {"hours": [[start, end]]}
    return {}


def standard_rows(model: genai.ModelInfo, longer: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Newest first: genai-prices takes the last that holds, the catalogue the first."""
    prices = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(None, prices=model.prices)]
    return [table(each.prices, longer, model.id) | when(each.constraint) for each in reversed(prices)]


def scaled(row: dict[str, Any], by: list[int]) -> dict[str, Any]:
    def times(rates: list[int | None]) -> list[Any]:
        return [rate if rate is None else Decimal(rate) * by[0] / by[1] for rate in rates]

    tiers = [[above, times(rates)] for above, rates in row.get("tiers", [])]
    return {"rates": times(row["rates"])} | ({"tiers": tiers} if tiers else {})


def variants(model: genai.ModelInfo, overlay: dict[str, Any], checked: date) -> dict[str, list[dict[str, Any]]]:
    """Tables of other tiers, but for those that are exactly a factor of the standard one."""
    tables: dict[str, list[dict[str, Any]]] = {}
    exact: dict[str, bool] = {}
    for variant in model.price_variants or ():
        ((key, name),) = variant.when.items()
        if key not in TIER_KEYS or name == "default":
            continue
        day = getattr(variant.constraint, "start_date", checked)
        standard = model.get_prices(datetime.combine(day, time(12), UTC))
        merged = model.get_prices(datetime.combine(day, time(12), UTC), {key: name})
        row = table(merged, overlay.get("longer_write"), model.id)
        factor = overlay.get("factors", {}).get(name)
        same = factor is not None and row == scaled(
            table(standard, overlay.get("longer_write"), model.id), factor["by"]
        )
        exact[name] = exact.get(name, True) and same
        tables.setdefault(name, []).append(row | when(variant.constraint))
    return {name: rows for name, rows in tables.items() if not exact[name]}


def names(model: genai.ModelInfo, provider: genai.Provider) -> list[str]:
    """Literal names among the model's match rules that genai-prices itself resolves to this model."""
    found: set[str] = set()

    def walk(clause: Any) -> None:
        for part in getattr(clause, "or_", ()):
            walk(part)
        for kind in ("equals", "starts_with", "contains"):
            text = getattr(clause, kind, None)
            if text and text[-1] not in "-_.@:/":
                found.add(text)

    walk(model.match)
    mine = {name for name in found if next((m for m in provider.models if m.is_match(name)), None) is model}
    return sorted(mine - {model.id})


def from_genai(
    model: genai.ModelInfo, provider: genai.Provider, overlay: dict[str, Any], checked: date
) -> dict[str, Any]:
    only = overlay.get("longer_write", {}).get("only", "")
    scoped = overlay if model.id.startswith(only) else {**overlay, "longer_write": None}
    entry: dict[str, Any] = {
        "id": model.id,
        "aliases": names(model, provider),
        "context": model.context_window,
        "rows": standard_rows(model, scoped.get("longer_write")),
        "variants": variants(model, scoped, checked),
    }
    now = model.get_prices(datetime.combine(checked, time(12), UTC))
    for key, kind in PER_THOUSAND.items():
        fee = getattr(now, kind)
        if isinstance(fee, Decimal):
            entry[key] = whole(fee * PICO_PER_DOLLAR / 1000, model.id)
    carried = {*LANES.values(), *PER_THOUSAND.values()}
    entry["unpriced_kinds"] = sorted(
        key for key, value in now.__dict__.items() if value is not None and key not in carried
    )
    return entry


def overlay_rates(usd: dict[str, str], what: str) -> list[int]:
    rates: dict[str, int] = {}
    for lane in LANES:
        rates[lane] = per_token(usd[lane], what) if lane in usd else rates[FALLBACK[lane]]
    return list(rates.values())


def overlay_row(row: dict[str, Any], holidays: list[date], what: str) -> dict[str, Any]:
    made: dict[str, Any] = {"rates": overlay_rates(row["usd"], what)}
    if "tier" in row:
        made["tiers"] = [[tier["above"], overlay_rates(tier["usd"], what)] for tier in row["tier"]]
    made |= {key: instant(row[key]) for key in ("since", "until") if key in row}
    made |= {key: row[key] for key in ("hours", "days") if key in row}
    if row.get("holidays"):
        made["except_on"] = [day.isoformat() for day in holidays]
    made |= {key: str(row[key]) for key in ("source", "checked") if key in row}
    return made


def apply_overlay(models: dict[str, dict[str, Any]], overlay: dict[str, Any]) -> None:
    holidays = overlay.get("holidays", {}).get("dates", [])
    for extra in overlay.get("model", []):
        entry = models.setdefault(extra["id"], {"id": extra["id"]})
        for key in MODEL_KEYS:
            if key in extra:
                value = extra[key]
                entry[key] = value.isoformat() if isinstance(value, date) else value
        entry["aliases"] = sorted({*extra.get("aliases", ()), *models[extra["id"]].get("aliases", ())} - {extra["id"]})
        if "row" in extra:
            entry["rows"] = [overlay_row(row, holidays, extra["id"]) for row in extra["row"]]
        entry |= {"source": extra["source"], "checked": extra["checked"].isoformat()}
    search = overlay.get("web_search")
    for entry in models.values():
        if search:
            entry["web_search"] = whole(Decimal(search["usd_per_1000"]) * PICO_PER_DOLLAR / 1000, entry["id"])


def claude_elsewhere(provider: str, model: str) -> bool:
    """Claude on a cloud is priced from Anthropic's own list, by its regional factor."""
    return provider in {"aws", "google"} and "claude-" in model


def build(provider: str, sources: dict[str, Any]) -> dict[str, Any]:
    overlay = read_overlay(provider)
    excluded = overlay.get("exclude", {})
    models = {
        model.id: from_genai(model, GENAI[provider], overlay, sources["checked"])
        for model in GENAI[provider].models
        if model.id not in excluded and not claude_elsewhere(provider, model.id)
    }
    # What is billed by the hour, page or character has no rate in any of the five lanes.
    for name in [name for name, entry in models.items() if any(row["rates"][0] is None for row in entry["rows"])]:
        del models[name]
    apply_overlay(models, overlay)
    return {
        "provider": provider,
        "source": f"{sources['source']} {sources['version']}",
        "checked": sources["checked"].isoformat(),
        "factors": {name: plain(factor) for name, factor in overlay.get("factors", {}).items()},
        "excluded": excluded,
        "models": [dict(sorted(entry.items())) for _, entry in sorted(models.items())],
    }


def read_overlay(name: str) -> dict[str, Any]:
    path = PRICING / "overlay" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def plain(table_of: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in table_of.items()}


def render(sheet: dict[str, Any]) -> str:
    """JSON with one model to a line and nothing empty."""
    rows = []
    for entry in sheet["models"]:
        kept = {key: value for key, value in entry.items() if value not in (None, [], {})}
        rows.append(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
    head = json.dumps({key: value for key, value in sheet.items() if key != "models"}, ensure_ascii=False, indent=1)
    return head.removesuffix("\n}") + ',\n "models": [\n' + ",\n".join(rows) + "\n ]\n}\n"


WITNESS_PROVIDERS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "gemini": "google",
    "deepseek": "deepseek",
    "xai": "x-ai",
    "mistral": "mistral",
    "groq": "groq",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "moonshot": "moonshotai",
    "zai": "zai",
    "minimax": "minimax",
}
WITNESS_LANES = {
    "input": "input_cost_per_token",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "cache_read": "cache_read_input_token_cost",
    "output": "output_cost_per_token",
}


def write_witness(path: Path, checked: date) -> None:
    """Compare today's standard rates with LiteLLM's and write every difference, with its explanation, to a file."""
    prices = catalogue()
    noon = int(datetime.combine(checked, time(12), UTC).timestamp()) * 10**6
    why = read_overlay("witness")
    agreed: dict[str, int] = {}
    found: dict[str, dict[str, Any]] = {}
    for key, entry in sorted(json.loads(path.read_text(encoding="utf-8")).items()):
        provider = WITNESS_PROVIDERS.get(entry.get("litellm_provider", ""))
        if provider is None or entry.get("mode") not in {"chat", "responses"}:
            continue
        name = key.removeprefix(f"{entry['litellm_provider']}/")
        model = prices.find(name, provider=provider)
        if model is None:
            continue
        differences = compare(model.standard_rates(noon), entry)
        if differences:
            reasons = why.get(provider, {})
            found.setdefault(provider, {})[name] = {**differences, "why": reasons.get(name, reasons.get("*"))}
        else:
            agreed[provider] = agreed.get(provider, 0) + 1
    report = {"checked": checked.isoformat(), "agreed": agreed, "disagreed": found}
    target = PRICING / "data" / "witness.json"
    target.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"witness.json: {sum(agreed.values())} agree, {sum(map(len, found.values()))} disagree")


def compare(ours: Rates, theirs: dict[str, Any]) -> dict[str, list[int | None]]:
    """Lanes that differ as [ours, theirs] in pico-dollars per token; LiteLLM's silence and zero-priced writes pass."""
    differences: dict[str, list[int | None]] = {}
    for lane, key in WITNESS_LANES.items():
        value = theirs.get(key)
        if value is None or (value == 0 and lane.startswith("cache_")):
            continue
        exact = round(Decimal(str(value)) * PICO_PER_DOLLAR)
        if exact != getattr(ours, lane):
            differences[lane] = [getattr(ours, lane), exact]
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--witness", type=Path, help="LiteLLM's model_prices_and_context_window JSON")
    options = parser.parse_args()
    sources = read_overlay("sources")
    installed = importlib.metadata.version("genai-prices")
    if installed != sources["version"]:
        raise BuildError(
            f"genai-prices {installed} is installed but overlay/sources.toml reviewed {sources['version']}"
        )
    for provider in PROVIDERS:
        path = PRICING / "data" / f"{provider}.json"
        path.write_text(render(build(provider, sources)), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    if options.witness:
        write_witness(options.witness, sources["checked"])


if __name__ == "__main__":
    main()
