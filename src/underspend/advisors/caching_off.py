"""Prompt caching switched off by a setting: what it cost, and what it will."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from underspend.advisors.claimed import Claimed
from underspend.advisors.client_settings import SettingsFile
from underspend.core.advisor import Claimed as Claim
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import Lane

OFF = "DISABLE_PROMPT_CACHING"
_WRITES = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)


class Off(msgspec.Struct, array_like=True, gc=False):
    """What went without caching (`lost`, in so many `replies`), and what the caching there was has saved (`kept`).

    `claimed` is how much of what was lost lies in the bills.
    """

    lost: Money = 0
    replies: int = 0
    kept: Money = 0
    claimed: Money = 0


class _Cost:
    """The cost of one variable while it is added up."""

    def __init__(self, around: Surroundings) -> None:
        self.off = Off()
        self.claimed = Claimed(around.bills)
        self._around = around

    def add(self, timeline: Timeline, family: str) -> None:
        """Add the replies of a timeline that the setting is about."""
        before: Answered | None = None
        for reply in timeline.replies:
            if family in (reply.metered.model or "").lower():
                self._add(reply, before)
            before = reply

    def _add(self, reply: Answered, before: Answered | None) -> None:
        usage, model = reply.metered.usage, reply.metered.model or ""
        rates = {lane: self._around.rates.rate(model, lane, reply.at, usage.prompt) for lane in Lane}
        plain, read, write = rates[Lane.INPUT], rates[Lane.CACHE_READ], rates[Lane.CACHE_WRITE_5M]
        if plain is None or read is None or write is None:
            return
        if usage.cache_read or any(usage.lane(lane) for lane in _WRITES):
            self.off.kept += usage.cache_read * (plain - read)
            self.off.kept -= sum(usage.lane(lane) * ((rates[lane] or plain) - plain) for lane in _WRITES)
            return
        again = min(usage.input, before.metered.usage.prompt) if before is not None else 0
        gain = again * (plain - read) - (usage.input - again) * (write - plain)
        self.off.lost += gain
        self.off.replies += 1
        self.off.claimed += self.claimed.add(reply, Lane.INPUT, gain)


def seen_off(
    name: str, files: Iterable[SettingsFile], around: Surroundings
) -> tuple[dict[str, Off], dict[str, list[Claim]]]:
    """What each variable that switches caching off did to the sessions it held for, and the claims for it."""
    found, claims = {}, {}
    for variable, setting in _switches(files).items():
        cost = _Cost(around)
        for timeline in {id(line): line for file in setting for line in file.timelines}.values():
            cost.add(timeline, variable.removeprefix(OFF).removeprefix("_").lower())
        found[variable], claims[_id(name, variable)] = cost.off, cost.claimed.all()
    return found, claims


def caching_off(name: str, files: Iterable[SettingsFile], seen: Sequence[Mapping[str, Off]]) -> Iterator[Finding]:
    """One finding per variable that switches caching off, over all the files that set it.

    Its amount is what uncached prompts of the history cost too much. What caching saved until now, and will no more,
    was never paid in it and stands in the title only.
    """
    for variable, found in _switches(files).items():
        yield _finding(name, found, variable, [each[variable] for each in seen if variable in each])


def _switches(files: Iterable[SettingsFile]) -> dict[str, list[SettingsFile]]:
    setting: dict[str, list[SettingsFile]] = defaultdict(list)
    for file in files:
        for variable in file.env:
            if (variable == OFF or variable.startswith(f"{OFF}_")) and file.on(variable):
                setting[variable].append(file)
    return dict(sorted(setting.items()))


def _id(name: str, variable: str) -> str:
    return f"{name}/caching-off/{variable}"


def _finding(name: str, files: Sequence[SettingsFile], variable: str, seen: Sequence[Off]) -> Finding:
    lost = min(max(sum(each.lost for each in seen), 0), sum(each.claimed for each in seen))
    kept = max(sum(each.kept for each in seen), 0)
    return Finding(
        id=_id(name, variable),
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
        claimed=(_id(name, variable),),
        rows=tuple(
            {
                "file": file.path,
                "setting": f"{variable}={file.env[variable]}",
                "uncached_replies": sum(each.replies for each in seen),
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
