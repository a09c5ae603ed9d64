"""Findings that are a replay's delta: what each change would have saved on the recorded calls, and how to make it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from underspend.advisors.model_steps import cheaper
from underspend.advisors.rule_data import rules
from underspend.audit.replay.traffic import Traffic
from underspend.audit.whatif import Outcome, Part, Replays, Saving
from underspend.audit.whatif_break_even import break_even
from underspend.audit.whatif_inline import inline_findings
from underspend.audit.whatif_successors import successor_findings
from underspend.audit.whatif_trials import AgentsOn, ClientLifetime, FreshStarts
from underspend.core.advisor import Confidence, Finding, Urgency
from underspend.core.call import Role
from underspend.core.engine import Step
from underspend.core.evidence import Evidence
from underspend.core.money import Money, show
from underspend.core.strategy import State, Strategy

LEVELS = (25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 600_000)
"""Context sizes at which the habit of starting afresh is tried."""

_ROLES = {Role.MAIN: ("main", "the main loop's"), Role.SUBAGENT: ("agents", "sub-agents'")}
_AFTER = "What the replies would have been is not known: they are taken as they were."


def findings(replays: Replays, result: Outcome, steps: Sequence[Step]) -> list[Finding]:
    """What would have saved money, the most first. All of it overlaps: the figures may not be added up."""
    found = [
        *_strategies(result, steps),
        *_lifetimes(replays),
        *_agents(replays),
        *inline_findings(replays),
        *successor_findings(replays),
        *_fresh_starts(replays),
        *_break_even(replays),
    ]
    return sorted(found, key=lambda each: (-each.amount, each.id))


def _strategies(result: Outcome, steps: Sequence[Step]) -> Iterator[Finding]:
    about = {step.strategy.name: _first_line(step.strategy) for step in steps}
    for part in result.others:
        if part.last.expected > 0:
            yield Finding(
                id=f"whatif/{part.name}",
                urgency=Urgency.FIX_NOW,
                title=f"{part.name} on top of your policy: {show(part.last.expected)}",
                amount=part.last.expected,
                confidence=Confidence.LOW if part.deeds.alters_meaning else Confidence.MEDIUM,
                evidence=part.evidence,
                why=f"{about[part.name]} {_said(part)}" + (f" {_AFTER}" if part.deeds.alters_meaning else ""),
                fix=f"underspend config set strategies.{part.name}.state on",
            )


def _first_line(strategy: Strategy) -> str:
    return (type(strategy).__doc__ or "").strip().partition("\n")[0]


def _said(part: Part) -> str:
    return (
        f"Between {show(part.last.low)} and {show(part.last.high)}, by {part.deeds.edits:,} edits"
        f" in {part.deeds.calls:,} calls; alone {show(part.alone.expected)}."
    )


def _lifetimes(replays: Replays) -> Iterator[Finding]:
    names = rules("settings_doctor")["lifetime"]
    for role, (group, whose) in _ROLES.items():
        tried = {ttl: _saved(replays, ClientLifetime(role=role, ttl=ttl)) for ttl in ("5m", "1h")}
        ttl, best = max(tried.items(), key=lambda pair: pair[1].expected)
        if best.expected <= 0:
            continue
        variable, key = names[group]["env"][0], names[group]["keys"][0]
        yield Finding(
            id=f"whatif/lifetime-{group}",
            urgency=Urgency.FIX_NOW,
            title=f"A cache lifetime of {ttl} for all {whose} prompts: {show(best.expected)}",
            amount=best.expected,
            confidence=Confidence.MEDIUM,
            evidence=Evidence.SIMULATED,
            why=(
                f"Your own prompts and pauses, replayed with every breakpoint at {ttl}: between {show(best.low)} and"
                f" {show(best.high)}. The strategy cache_ttl chooses call by call instead."
            ),
            fix=f'{variable}={ttl}\nor in settings.json: "{key}": "{ttl}"',
            rows=[{"lifetime": ttl, "saved": show(saved.expected)} for ttl, saved in tried.items()],
        )


def _agents(replays: Replays) -> Iterator[Finding]:
    models = _steps_down(replays.traffic)
    if not models:
        return
    saved = _saved(replays, AgentsOn(models=models))
    if saved.expected <= 0:
        return
    table = ", ".join(f'{{ model = "{model}", to = "{to}", roles = ["subagent"] }}' for model, to in models)
    yield Finding(
        id="whatif/sub-agents",
        urgency=Urgency.HABIT,
        title=f"Sub-agents one model cheaper: {show(saved.expected)}",
        amount=saved.expected,
        confidence=Confidence.LOW,
        evidence=Evidence.ESTIMATED,
        why=(
            f"Each sub-agent from its first call on, so no cache is lost: between {show(saved.low)} and"
            f" {show(saved.high)}, by how many tokens the other model makes of the same text and how long its replies"
            f" are. {_AFTER}"
        ),
        fix=(
            f"underspend config set strategies.model_rules.rules '[{table}]'\n"
            "underspend config set strategies.model_rules.state on"
        ),
        rows=[{"model": model, "instead": to} for model, to in models],
    )


def _steps_down(traffic: Traffic) -> tuple[tuple[str, str], ...]:
    """For each model that sub-agents ran on, the next cheaper one that was offered when they last did."""
    last: dict[str, int] = {}
    for asked in traffic.calls:
        call = asked.recorded.call
        if asked.counted and call.identity.role is Role.SUBAGENT:
            last[call.model] = max(last.get(call.model, 0), call.time)
    return tuple((model, offered[0].id) for model, at in sorted(last.items()) if (offered := cheaper(model, at)))


def _fresh_starts(replays: Replays) -> Iterator[Finding]:
    counted = [asked.recorded.call for asked in replays.traffic.calls if asked.counted]
    largest = max((call.prompt_tokens for call in counted if call.identity.role is Role.MAIN), default=0)
    curve: list[tuple[int, Saving, Money]] = []
    for level in LEVELS:
        if level >= largest:
            break
        trial = FreshStarts(above=level)
        played = replays.of([Step(trial, State.ON)])
        curve.append((level, _saved(replays, trial), played.deeds[trial.name].rewrites))
    if not curve:
        return
    level, best, _ = max(curve, key=lambda each: each[1].expected)
    yield Finding(
        id="whatif/fresh-starts",
        urgency=Urgency.HABIT,
        title=f"Starting afresh at your next prompt above {level:,} tokens: {show(best.expected)}",
        amount=max(best.expected, 0),
        confidence=Confidence.LOW,
        evidence=Evidence.ESTIMATED,
        why=(
            "Replayed with /clear at each typed prompt that finds the context larger than that: only the first message"
            " stays. What was left out is taken not to be needed again, so this is the most that it can save; each row"
            " also says what it cost to write prompts again."
        ),
        fix="Run /clear when you begin something new; /compact with a line on what to keep when you go on.",
        rows=[
            {"context above": level, "saved": show(saved.expected), "written again": show(rewrites)}
            for level, saved, rewrites in curve
        ],
    )


def _break_even(replays: Replays) -> Iterator[Finding]:
    found = break_even(replays.traffic, LEVELS)
    if found is not None:
        yield found


def _saved(replays: Replays, strategy: Strategy) -> Saving:
    return replays.saving([Step(strategy, State.ON)])
