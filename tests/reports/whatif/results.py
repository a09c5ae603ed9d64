"""What-ifs for tests of how they are shown."""

from audit.calls_in_a_row import STEADY, line, loop
from audit.histories import history
from audit.replay.policies import Lifetime, Limit, Nothing, Trim, on, reads
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Replays, outcome
from underspend.audit.whatif_findings import findings
from underspend.audit.whatif_policy import Policy
from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.reports.whatif.result import WhatIf


def made_of(*steps, tried=True):
    first = line(*reads(30_000, 100, 100), project="shop", session="s-1")
    second = line(*loop(*STEADY, (3, 16_700, 0, 0, 50), name="o"), project="blog<b>", session="s-2")
    replays = Replays(traffic(history(first, second)))
    steps = (*steps, Step(Limit(), State.ON))
    result = outcome(replays, steps, others=tried)
    found = findings(replays, result, steps) if tried else []
    return WhatIf(policy=Policy(steps=steps, said={}), outcome=result, findings=found, tried=tried)


def rich():
    """A policy with gains and losses, and one strategy that is not on."""
    return made_of(*on(Lifetime(), Trim(tokens=100)), Step(Nothing(), State.OFF))


def better():
    return made_of(*on(Trim(tokens=100)), Step(Lifetime(), State.OFF))


def trying():
    """Nothing on, and one strategy that would save."""
    return made_of(Step(Trim(tokens=100), State.OFF))


def idle():
    """A policy that does nothing."""
    return made_of(*on(Nothing()), tried=False)
