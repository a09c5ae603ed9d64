"""Prompt caching switched off by a setting: what it cost, and what it will."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from underspend.advisors.claimed import Claimed
from underspend.advisors.client_settings import SettingsFile
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import Lane

OFF = "DISABLE_PROMPT_CACHING"
_WRITES = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)


@dataclass(slots=True)
class _Cost:
    """What went without caching (`lost`, by reply), and what the caching there was has saved (`kept`)."""

    lost: list[tuple[Answered, Money]] = field(default_factory=list)
    kept: Money = 0

    def add(self, timeline: Timeline, family: str, around: Surroundings) -> None:
        """Add the replies of a timeline that the setting is about."""
        before: Answered | None = None
        for reply in timeline.replies:
            if family in (reply.metered.model or "").lower():
                self._add(reply, before, around)
            before = reply

    def _add(self, reply: Answered, before: Answered | None, around: Surroundings) -> None:
        usage, model = reply.metered.usage, reply.metered.model or ""
        rates = {lane: around.rates.rate(model, lane, reply.at, usage.prompt) for lane in Lane}
        plain, read, write = rates[Lane.INPUT], rates[Lane.CACHE_READ], rates[Lane.CACHE_WRITE_5M]
        if plain is None or read is None or write is None:
            return
        if usage.cache_read or any(usage.lane(lane) for lane in _WRITES):
            self.kept += usage.cache_read * (plain - read)
            self.kept -= sum(usage.lane(lane) * ((rates[lane] or plain) - plain) for lane in _WRITES)
            return
        again = min(usage.input, before.metered.usage.prompt) if before is not None else 0
        self.lost.append((reply, again * (plain - read) - (usage.input - again) * (write - plain)))


def caching_off(name: str, files: Iterable[SettingsFile], around: Surroundings) -> Iterator[Finding]:
    """One finding per variable that switches caching off, over all the files that set it.

    Its amount is what uncached prompts of the history cost too much. What caching saved until now, and will no more,
    was never paid in it and stands in the title only.
    """
    setting: dict[str, list[SettingsFile]] = defaultdict(list)
    for file in files:
        for variable in file.env:
            if (variable == OFF or variable.startswith(f"{OFF}_")) and file.on(variable):
                setting[variable].append(file)
    for variable, found in sorted(setting.items()):
        yield _finding(name, found, variable, around)


def _finding(name: str, files: Sequence[SettingsFile], variable: str, around: Surroundings) -> Finding:
    cost, claimed = _Cost(), Claimed(around.bills)
    for timeline in {id(line): line for file in files for line in file.timelines}.values():
        cost.add(timeline, variable.removeprefix(OFF).removeprefix("_").lower(), around)
    for reply, gain in cost.lost:
        claimed.add(reply, Lane.INPUT, gain)
    lost = min(max(sum(gain for _, gain in cost.lost), 0), claimed.total)
    kept = max(cost.kept, 0)
    return Finding(
        id=f"{name}/caching-off/{variable}",
        urgency=Urgency.FIX_NOW,
        title=_title(variable, lost, kept),
        amount=lost,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            f"Prompts sent without a cache cost {show(lost)} more than they would have: what the reply before had"
            " already sent, at input less read price, less what the writes would have cost. The caching that there was"
            f" in these sessions saved {show(kept)}, reckoned the same way."
        ),
        fix=f"Take {variable} out of the env of {', '.join(file.path for file in files)}.",
        claims=claimed.claims(lost),
        rows=tuple(
            {
                "file": file.path,
                "setting": f"{variable}={file.env[variable]}",
                "uncached_replies": len(cost.lost),
                "lost": show(lost),
                "saved_by_caching_until_now": show(kept),
            }
            for file in files
        ),
    )


def _title(variable: str, lost: Money, kept: Money) -> str:
    if lost or not kept:
        return f"{variable} switches prompt caching off"
    return f"{variable} switches prompt caching off, which saved {show(kept)} in this history"
