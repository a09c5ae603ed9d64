"""What routing goes by: what a request shows, what became of it, and what is believed of a model for a class of tasks.

Nothing here holds text but `Asked`, which lives only as long as it takes to class a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from underspend.core.call import Role
from underspend.core.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request shows without being understood.

    `text` is what the user asked last (at most 2,000 characters: its head and its tail), `system` the first 500 of the
    instructions. `prompt_chars` is the size of all of it, `turns` the user's messages, `tools` the tools it may use,
    `structured` whether the reply must fit a schema.
    """

    text: str
    system: str = ""
    prompt_chars: int = 0
    text_chars: int = 0
    turns: int = 1
    tools: int = 0
    structured: bool = False
    images: int = 0
    documents: int = 0
    max_output: int = 0
    thinking: bool = False
    role: Role = Role.UNKNOWN
    agent_type: str | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to answer: a model at an effort. `provider` is a name of the price catalogue."""

    model: str
    effort: str | None = None
    provider: str = "anthropic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one task (a call, or a session's slot) that one arm did.

    `quality` is from 0 (failed) to 1 (as wanted). `weight` is below 1 for weaker signals. `randomised` results come
    from calls that were put to an arm by chance, which is what certificates are made of. `paired` is the quality that
    the arm asked for had on the same task, where both are known.
    """

    task: str
    arm: Arm
    quality: float
    cost: Money
    at: int
    features: tuple[int, ...] = ()
    weight: float = 1.0
    randomised: bool = False
    paired: float | None = None
    instead_of: Arm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed of an arm for a task: the chance that it does it, with the lower end of its interval.

    `cost` is what a task of the class is expected to cost in pico-dollars, None where nothing is known. `results` is
    how many of the user's own stand behind it; with none it is only the prior.
    """

    quality: float
    quality_low: float
    cost: Money | None
    results: float


class Standing(StrEnum):
    """How far a class is from being routed with a guarantee."""

    CERTIFIED = "certified"
    COLLECTING = "collecting"
    NOT_CERTIFIABLE = "not certifiable at this volume"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Whether, with confidence 1 − `delta`, at most `epsilon` of a class's tasks are done worse by `arm`.

    A task is done worse where `arm` failed it and `instead_of` would not have. `regrets` of `results` were. `bound` is
    the upper end of the regret's interval. `needed` is how many more results without a regret it would take, None
    where the class's volume will not give them. `threshold` is the least score a task must have to be routed.
    """

    task: str
    arm: Arm
    instead_of: Arm
    standing: Standing
    epsilon: float
    delta: float
    results: int
    regrets: int
    bound: float
    threshold: float = 0.0
    needed: int | None = None
    why: str = ""


class Knowing(Protocol):
    """What a router asks. It is pure: what was learned before is all it knows."""

    def belief(self, task: str, features: tuple[int, ...], arm: Arm) -> Belief:
        """What is believed of an arm for a task with these features."""
        ...

    def certificate(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> Certificate:
        """How it stands with routing such a task from one arm to another."""
        ...
