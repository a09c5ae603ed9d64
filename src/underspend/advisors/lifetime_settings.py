"""The cache lifetime in force, where the other one would have been cheaper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from underspend.advisors.cache_lifetimes import Swing, with_long, with_short
from underspend.advisors.claimed import NO_BILL, Claimed
from underspend.advisors.client_settings import SettingsFile
from underspend.advisors.rule_data import rules
from underspend.advisors.sub_agents import is_agent
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline
from underspend.core.money import show
from underspend.core.usage import Lane

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


def lifetimes(name: str, files: Sequence[SettingsFile], history: History, around: Surroundings) -> Iterator[Finding]:
    """At most one finding for main loops and one for sub-agents, where the gain is worth a word."""
    groups = {
        "main": [line for line in history.timelines if not is_agent(line) and line.role in {Role.MAIN, Role.UNKNOWN}],
        "agents": [line for line in history.timelines if is_agent(line)],
    }
    for group, timelines in groups.items():
        found = [
            (sum(swing.gain for swing in swings), ttl, swings)
            for ttl, (replay, _) in _OTHER.items()
            if (swings := [swing for line in timelines for swing in replay(line, around)])
        ]
        spent = sum(around.bills.get(reply.message_id, NO_BILL).total for line in timelines for reply in line.replies)
        gain, ttl, swings = max(found, default=(0, "", []), key=lambda each: each[0])
        if gain > 0 and gain * 100 >= spent * _WORTH_SAYING_PERCENT:
            yield _finding(f"{name}/cache-lifetime-{group}", group, ttl, swings, list(_set(group, files)), around)


def _finding(  # noqa: PLR0913, PLR0917  # each names one thing
    identity: str, group: str, ttl: str, swings: Sequence[Swing], said: list[Mapping[str, str]], around: Surroundings
) -> Finding:
    gains = sum(swing.gain for swing in swings if swing.gain > 0)
    losses = -sum(swing.gain for swing in swings if swing.gain < 0)
    claimed = Claimed(around.bills)
    for swing in swings:
        claimed.add(swing.reply, swing.lane, swing.gain)
    whose = "sub-agents'" if group == "agents" else "main loop's"
    against = [row for row in said if row["lifetime"] != ttl]
    amount = min(gains - losses, claimed.total)
    return Finding(
        id=identity,
        urgency=Urgency.FIX_NOW,
        title=f"A cache lifetime of {ttl} would have made the {whose} prompts {show(amount)} cheaper",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(after=_OTHER[ttl][1], gains=show(gains), losses=show(losses)),
        fix=_fix(group, ttl, against),
        claims=claimed.claims(amount),
        rows=(*(against or [{"file": "(no setting)", "setting": "the default", "lifetime": ""}]), *_sums(swings)),
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


def _sums(swings: Sequence[Swing]) -> Iterator[Mapping[str, str]]:
    for lane in Lane:
        mine = [swing for swing in swings if swing.lane is lane and swing.gain]
        if mine:
            effect = "cheaper" if sum(swing.gain for swing in mine) >= 0 else "dearer"
            amount = show(abs(sum(swing.gain for swing in mine)))
            yield {"file": "", "setting": f"{lane.value} billed so far", "lifetime": f"{amount} {effect}"}
