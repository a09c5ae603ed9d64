"""Models that their successor dominates: newer, cheaper in every lane, and by the provider's own word not weaker."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from underspend.audit.replay.traffic import Traffic
from underspend.audit.whatif import Replays
from underspend.core.advisor import Confidence, Finding, Urgency
from underspend.core.engine import Step
from underspend.core.evidence import Evidence
from underspend.core.money import show
from underspend.core.strategy import State
from underspend.core.usage import Lane
from underspend.pricing.catalogue import Catalogue
from underspend.strategies.model_rules import ModelRules, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A model that replaces others. `says` is why it is held to be as good, `mind` what a caller has to change."""

    model: str
    of: tuple[str, ...]
    says: str
    source: str
    guide: str
    mind: str


@lru_cache(maxsize=1)
def successors() -> tuple[Successor, ...]:
    """All that are known, from the data file."""
    text = (resources.files("underspend.audit") / "data" / "successors.toml").read_text("utf-8")
    return tuple(Successor(**{**each, "of": tuple(each["of"])}) for each in tomllib.loads(text)["successor"])


def dominates(newer: str, older: str, prices: Catalogue, at: int) -> bool:
    """Whether a model is dearer in no lane than another, and cheaper in one, at an instant and for short prompts."""
    one, other = (prices.rates(model, at, 0, provider="anthropic") for model in (newer, older))
    if one is None or other is None:
        return False
    pairs = [(one.lane(lane) or 0, other.lane(lane) or 0) for lane in Lane]
    return all(mine <= theirs for mine, theirs in pairs) and any(mine < theirs for mine, theirs in pairs)


def successor_findings(replays: Replays) -> Iterator[Finding]:
    """One finding for each model in use that its successor dominates, with what the record would have cost on it."""
    now, used = _used(replays.traffic)
    prices = replays.traffic.prices
    for each in successors():
        older = {name: model for name, model in used.items() if model in each.of}
        older = {name: own for name, own in older.items() if dominates(each.model, own, prices, now)}
        if not older:
            continue
        rules = tuple(Rule(model, each.model) for model in older)
        saved = replays.saving([Step(ModelRules(rules=rules), State.ON)])
        if saved.expected <= 0:
            continue
        table = ", ".join(f'{{ model = "{rule.model}", to = "{rule.to}" }}' for rule in rules)
        yield Finding(
            id=f"whatif/successor-{each.model}",
            urgency=Urgency.FIX_NOW,
            title=f"{each.model} instead of {', '.join(sorted(set(older.values())))}: {show(saved.expected)}",
            amount=saved.expected,
            confidence=Confidence.MEDIUM,
            evidence=Evidence.ESTIMATED,
            why=(
                f"Newer, cheaper in every lane, and by the provider's word not weaker: {each.says} ({each.source})."
                f" Replayed from each conversation's first call on: between {show(saved.low)} and {show(saved.high)},"
                f" by how many tokens it makes of the same text. Mind: {each.mind} ({each.guide})."
            ),
            fix=(
                f"underspend config set strategies.model_rules.rules '[{table}]'\n"
                "underspend config set strategies.model_rules.state on"
            ),
            rows=[{"model": name, "successor": each.model} for name in older],
        )


def _used(traffic: Traffic) -> tuple[int, dict[str, str]]:
    """The time of the last call that counts, and the models asked for: by the name used, their listed id."""
    models, last = dict[str, str](), 0
    for asked in traffic.calls:
        if asked.counted:
            call = asked.recorded.call
            models[call.model] = asked.settings.model
            last = max(last, call.time)
    return last, dict(sorted(models.items()))
