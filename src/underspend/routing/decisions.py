"""A router's decision as a record: what the user wants, which arms there were, which was taken and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from underspend.core.call import BillingMode, Call, Role
from underspend.core.money import Money, show
from underspend.routing.beliefs import Arm, Belief

TIERS = ("cheap", "standard", "best")
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})


class Mode(StrEnum):
    """How far the router may go. `advise` is `observe` in words for the user; both change nothing."""

    OBSERVE = "observe"
    ADVISE = "advise"
    CERTIFIED = "certified"
    AGGRESSIVE = "aggressive"


class Preference(StrEnum):
    """What is wanted most; also what follows the colon of `model: "auto:…"`."""

    CHEAPEST = "cheapest"
    BALANCED = "balanced"
    QUALITY = "quality"


TIER_OF = {Preference.CHEAPEST: "cheap", Preference.BALANCED: "standard", Preference.QUALITY: "best"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """The user's own word. `to` is a tier or a model (`name@effort` for an effort); what is empty limits nothing.

    `tasks` are classes, or coarse ones for all classes under them (docs/routing-classes.md).
    """

    to: str
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    agent_types: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    prompt_above: int = 0
    prompt_upto: int = 0

    def fits(self, call: Call) -> bool:
        """Whether the call is one of those meant."""
        who = call.identity
        said = (
            (self.models, call.model),
            (self.roles, who.role),
            (self.agent_types, who.agent_type),
            (self.projects, who.project),
            (self.keys, who.key),
        )
        return (
            all(not wanted or value in wanted for wanted, value in said)
            and (not self.tasks or not set(self.tasks).isdisjoint(classes_of(call)))
            and (not self.tags or not set(self.tags).isdisjoint(who.tags))
            and call.prompt_tokens > self.prompt_above - (not self.prompt_above)
            and (not self.prompt_upto or call.prompt_tokens <= self.prompt_upto)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An arm and what is expected of it from here to the slot's end.

    `cost` is in pico-dollars, the cache it must write included; `loss` is what this call alone would cost more than on
    the arm in use. `why_not` is empty where it may be chosen.
    """

    arm: Arm
    quality: float = 0.0
    quality_low: float = 0.0
    cost: Money | None = None
    loss: Money = 0
    results: float = 0
    why_not: str = ""

    @classmethod
    def of(cls, arm: Arm, held: Belief, *, cost: Money, loss: Money, why_not: str) -> Candidate:
        """An arm of which this is believed."""
        return cls(
            arm=arm,
            quality=held.quality,
            quality_low=held.quality_low,
            cost=cost,
            loss=loss,
            results=held.results,
            why_not=why_not,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """A decision: for which `task`, `instead_of` which arm, among which candidates (none where it only stays).

    `before` is the arm the slot was on; `acts` says whether the mode lets the change be made.
    """

    task: str
    arm: Arm
    instead_of: Arm
    before: Arm
    reason: str
    candidates: tuple[Candidate, ...] = ()
    escalates: bool = False
    acts: bool = True

    @property
    def changes(self) -> bool:
        """Whether the slot leaves the arm it was on."""
        return self.arm != self.before

    @property
    def leaves_model(self) -> bool:
        """Whether it leaves its model, and not only its effort."""
        return (self.arm.model, self.arm.provider) != (self.before.model, self.before.provider)


def may_be_routed(call: Call) -> bool:
    """Not counts, not the client's own side calls (safety checks among them), nothing of a subscription."""
    who = call.identity
    return call.endpoint == "messages" and who.role is not Role.SIDE and who.billing is not BillingMode.OAUTH


def task_of(call: Call) -> str:
    """The call's class; where nobody classed it, its kind."""
    return call.task or call.kind or call.identity.role.value


def classes_of(call: Call) -> tuple[str, str]:
    """The call's class, and the coarse one that it is part of ("sub-agent" of "sub-agent/explore")."""
    task = task_of(call)
    return task, task.partition("/")[0]


@lru_cache(maxsize=512)
def arm_of(said: str, provider: str = "anthropic") -> Arm:
    """An arm from `model`, `model@effort` or `provider:model@effort`."""
    name, _, effort = said.rpartition("@") if said.rpartition("@")[2] in _EFFORTS else (said, "", "")
    home, colon, model = name.partition(":")
    return Arm(model if colon else name, effort or None, home if colon else provider)


def in_words(routing: Routing, mode: Mode) -> str:
    """What would be done, for the user to read."""
    costs = {each.arm: each.cost for each in routing.candidates}
    expected, asked = costs.get(routing.arm), costs.get(routing.instead_of)
    figures = f" (about {show(expected)}, not {show(asked)})" if expected is not None and asked is not None else ""
    if mode is Mode.ADVISE:
        said = f"{routing.task} work could go to {routing.arm.model}{figures}: {routing.reason}"
        return f"{said}. Mode certified does it once that is proved"
    return f"would have gone to {routing.arm.model}{figures}: {routing.reason}"
