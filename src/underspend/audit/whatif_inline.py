"""Sub-agents' work done in the main loop: what its prompts would have cost there, and what would have stayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from underspend.audit.replay.traffic import Asked, Traffic
from underspend.audit.whatif import Replays
from underspend.core.advisor import Confidence, Finding, Urgency
from underspend.core.evidence import Evidence
from underspend.core.money import Money, show


@dataclass(slots=True)
class _Kind:
    agents: int = 0
    paid: Money = 0
    inline: Money = 0


def inline_findings(replays: Replays) -> Iterator[Finding]:
    """Kinds of agents whose work would have cost less in the loop that asked for it; nothing where there are none.

    Worked out from recorded tokens, not played: the loop's prompt is read once more for each of the agent's calls, what
    the agent took in is written there, and all of it is read again by the loop's later calls until it is compacted. The
    agent's own tools and instructions are saved. That a pause lets the loop's cache die is not counted.
    """
    kinds = _kinds(replays.traffic)
    better = {name: kind for name, kind in kinds.items() if kind.paid > kind.inline}
    saved = sum(kind.paid - kind.inline for kind in better.values())
    if saved <= 0:
        return
    names = ", ".join(sorted(better))
    yield Finding(
        id="whatif/inline",
        urgency=Urgency.HABIT,
        title=f"The work of some sub-agents ({names}) in the main conversation: {show(saved)}",
        amount=saved,
        confidence=Confidence.LOW,
        evidence=Evidence.ESTIMATED,
        why=(
            "A sub-agent writes its own tools, instructions and task into the cache; the main conversation has its own"
            " there already, but keeps what is read in it. Kinds not named cost less as they are."
        ),
        fix='Say "do this yourself, without a sub-agent", in the prompt or in CLAUDE.md, for this kind of work.',
        rows=[
            {"agent": name, "agents": kind.agents, "paid": show(kind.paid), "inline": show(kind.inline)}
            for name, kind in sorted(kinds.items(), key=lambda each: each[1].inline - each[1].paid)
        ],
    )


def _kinds(traffic: Traffic) -> dict[str, _Kind]:
    talks: dict[int, list[Asked]] = {}
    for asked in traffic.calls:
        talks.setdefault(asked.recorded.row, []).append(asked)
    uses = {
        use.id: (row, at)
        for row, calls in talks.items()
        for at, asked in enumerate(calls)
        for use in asked.recorded.step.reply.tools
    }
    found: dict[str, _Kind] = {}
    for calls in talks.values():
        line = calls[0].recorded.step.line
        place = uses.get(line.parent_use) if line.agent is not None and line.parent_use is not None else None
        if place is None or not all(asked.counted for asked in calls):
            continue
        row, at = place
        cost = _inline(calls, talks[row][at:], traffic)
        if cost is not None:
            kind = found.setdefault(line.agent_type or "agent", _Kind())
            kind.agents += 1
            kind.paid += sum(asked.paid.total for asked in calls)
            kind.inline += cost
    return found


def _inline(calls: Sequence[Asked], parent: Sequence[Asked], traffic: Traffic) -> Money | None:
    """The work of an agent at the prices of the loop that asked; None where its model has no known price."""
    asking = parent[0].recorded
    held = asking.step.usage.prompt + asking.step.usage.output
    rates = traffic.prices.rates(asking.call.model, asking.step.reply.at, held, provider=asking.call.provider)
    if rates is None:
        return None
    first, taken_in, cost = calls[0].recorded.step.usage.prompt, 0, 0
    for asked in calls:
        usage = asked.recorded.step.usage
        new = max(0, usage.prompt - first - taken_in)
        cost += (held + taken_in) * rates.cache_read + new * rates.cache_write_5m
        cost += usage.output * (rates.output or 0)
        taken_in += new
    later = 0
    for asked in parent[1:]:
        if asked.recorded.step.usage.prompt < held:
            break  # compacted or cleared: what was kept is gone
        later += 1
    return cost + later * taken_in * rates.cache_read
