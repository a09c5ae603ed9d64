"""The cache lifetime in force, where the other one would have been cheaper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from underspend.advisors.cache_lifetimes import Swing, with_long, with_short
from underspend.advisors.claimed import Claimed
from underspend.advisors.client_settings import SettingsFile
from underspend.advisors.reading import accounts_of
from underspend.advisors.rule_data import rules
from underspend.advisors.sub_agents import is_agent
from underspend.core.advisor import Claimed as Claim
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import FIELDS, Lane

_WORTH_SAYING_PERCENT = 1
_WHY = (
    "Your own prompts and pauses, billed under the other lifetime: writes at its price; after a pause of more than 5"
    " minutes (up to 60) the prompt is {after}. It saves {gains} and costs {losses} more. How long a pause was is taken"
    " from the first lines of the replies; what other sessions keep warm is not counted."
)
_OTHER: Mapping[str, tuple[Callable[[Timeline, Surroundings], Iterator[Swing]], str]] = {
    "5m": (with_short, "written again"),
    "1h": (with_long, "still read"),
}


class Other(msgspec.Struct, array_like=True, gc=False):
    """What another lifetime would have saved and cost more, as far as it lies in the bills, and both by lane."""

    gains: Money = 0
    losses: Money = 0
    claimed: Money = 0
    lanes: dict[str, Money] = msgspec.field(default_factory=dict)

    @property
    def gain(self) -> Money:
        """What it would have saved in all."""
        return self.gains - self.losses

    def merge(self, more: Other) -> None:
        """Count in what another has counted."""
        self.gains += more.gains
        self.losses += more.losses
        self.claimed += more.claimed
        for lane, gain in more.lanes.items():
            self.lanes[lane] = self.lanes.get(lane, 0) + gain


class Lifetimes(msgspec.Struct, array_like=True, gc=False):
    """What main loops, or sub-agents, cost, and would have under the other lifetimes (by their names)."""

    spent: Money = 0
    others: dict[str, Other] = msgspec.field(default_factory=dict)


def seen_lifetimes(
    name: str, history: History, around: Surroundings
) -> tuple[dict[str, Lifetimes], dict[str, list[Claim]]]:
    """What other lifetimes would have made of main loops and of sub-agents, and the claims for each."""
    found: dict[str, Lifetimes] = {}
    claims: dict[str, list[Claim]] = {}
    groups = {
        "main": [line for line in history.timelines if not is_agent(line) and line.role in {Role.MAIN, Role.UNKNOWN}],
        "agents": [line for line in history.timelines if is_agent(line)],
    }
    for group, timelines in groups.items():
        made = found[group] = Lifetimes()
        made.spent = sum([bill.total for line in timelines for _, _, bill in accounts_of(line, around)])
        for ttl, (replay, _) in _OTHER.items():
            claimed = Claimed(around.bills)
            other = _sum_of((swing for line in timelines for swing in replay(line, around)), claimed)
            if other.lanes:
                made.others[ttl], claims[_claims_of(name, group, ttl)] = other, claimed.all()
    return found, claims


def _sum_of(swings: Iterable[Swing], claimed: Claimed) -> Other:
    """What they come to; what is saved is claimed."""
    gains = losses = new = 0
    lanes: dict[Lane, Money] = {}
    for message, lane, gain, billed in swings:
        if gain > 0:
            gains += gain
            new += claimed.put(message, lane, gain, billed)
        elif gain:
            losses -= gain
        else:
            continue
        lanes[lane] = lanes.get(lane, 0) + gain
    return Other(gains, losses, new, {FIELDS[lane]: gain for lane, gain in lanes.items()})


def lifetimes(name: str, files: Sequence[SettingsFile], seen: Sequence[Mapping[str, Lifetimes]]) -> Iterator[Finding]:
    """At most one finding for main loops and one for sub-agents, where the gain is worth a word."""
    for group in ("main", "agents"):
        parts = [each[group] for each in seen if group in each]
        others: dict[str, Other] = {ttl: Other() for ttl in _OTHER}
        for ttl, more in (pair for part in parts for pair in part.others.items()):
            others[ttl].merge(more)
        ttl = max(others, key=lambda ttl: others[ttl].gain)
        gain = others[ttl].gain
        if gain > 0 and gain * 100 >= sum(part.spent for part in parts) * _WORTH_SAYING_PERCENT:
            yield _finding(name, group, ttl, others[ttl], list(_set(group, files)))


def _claims_of(name: str, group: str, ttl: str) -> str:
    return f"{name}/cache-lifetime-{group}@{ttl}"


def _finding(name: str, group: str, ttl: str, other: Other, said: list[Mapping[str, str]]) -> Finding:
    whose = "sub-agents'" if group == "agents" else "main loop's"
    against = [row for row in said if row["lifetime"] != ttl]
    amount = min(other.gain, other.claimed)
    return Finding(
        id=f"{name}/cache-lifetime-{group}",
        urgency=Urgency.FIX_NOW,
        title=f"A cache lifetime of {ttl} would have made the {whose} prompts {show(amount)} cheaper",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(after=_OTHER[ttl][1], gains=show(other.gains), losses=show(other.losses)),
        fix=_fix(group, ttl, against),
        claimed=(_claims_of(name, group, ttl),),
        rows=(*(against or [{"file": "(no setting)", "setting": "the default", "lifetime": ""}]), *_sums(other)),
    )


def _fix(group: str, ttl: str, against: Iterable[Mapping[str, str]]) -> str:
    key = rules("settings_doctor")["lifetime"][group]["keys"][0]
    gone = "".join(f" Take {row['setting']} out of {row['file']}." for row in against)
    return f'In settings.json: "{key}": "{ttl}".{gone}'


def _set(group: str, files: Iterable[SettingsFile]) -> Iterator[Mapping[str, str]]:
    """The settings that choose a lifetime for main loops or for sub-agents."""
    names = rules("settings_doctor")["lifetime"]
    for file in files:
        said = [(key, str(file.keys[key])) for key in names[group]["keys"] if key in file.keys]
        said += [(key, file.env[key]) for key in names[group]["env"] if key in file.env]
        said += [(switch, ttl) for switch, ttl in names["switches"].items() if file.on(switch)]
        yield from ({"file": file.path, "setting": setting, "lifetime": ttl} for setting, ttl in said)


def _sums(other: Other) -> Iterator[Mapping[str, str]]:
    for lane in Lane:
        if lane.value in other.lanes:
            gain = other.lanes[lane.value]
            effect = "cheaper" if gain >= 0 else "dearer"
            yield {"file": "", "setting": f"{lane.value} billed so far", "lifetime": f"{show(abs(gain))} {effect}"}
