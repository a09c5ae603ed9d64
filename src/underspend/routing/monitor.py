"""A watch over a certificate that may be looked at after every result: a test by betting.

Against "at most ε of the tasks are done worse" a player bets on each next result. Under that hypothesis no way to bet
gains on average, so his wealth exceeds 1/α with probability at most α, at whatever moment one looks (Ville's
inequality; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2023). He spreads his
stake evenly over bets on rates from one and a half times to ten times ε.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log, log1p
from typing import Final

_TIMES: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
MOST_RATE: Final = 0.9
"""No rate from here on can be watched."""


def _bets(epsilon: float) -> tuple[float, ...]:
    """For each rate bet on, the stake that grows fastest if it is the true one (Kelly)."""
    rates = [min(MOST_RATE, epsilon * times) for times in _TIMES]
    return tuple((rate - epsilon) / (epsilon * (1 - epsilon)) for rate in rates if rate > epsilon)


@dataclass(slots=True)
class Monitor:
    """The wealth of a player who bets that more than `epsilon` of the tasks are done worse.

    `wealth` are the logarithms of what became of each part of his stake. Raises ValueError for an `epsilon` that is no
    rate below 0.9.
    """

    epsilon: float
    alpha: float = 0.05
    wealth: list[float] = field(default_factory=list)
    results: int = 0
    alarmed: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < MOST_RATE:
            raise ValueError(f"a rate of {self.epsilon} cannot be watched")
        if not self.wealth:
            self.wealth = [0.0] * len(_bets(self.epsilon))

    def see(self, regret: float) -> bool:
        """Take one result, 1 for a task done worse and 0 for any other; whether it has ever come to an alarm."""
        self.results += 1
        self.wealth = [
            total + log1p(stake * (regret - self.epsilon))
            for total, stake in zip(self.wealth, _bets(self.epsilon), strict=True)
        ]
        self.alarmed = self.alarmed or log_mean(self.wealth) >= -log(self.alpha)
        return self.alarmed

    @property
    def evidence(self) -> float:
        """The wealth, from a stake of 1: how much speaks against the certificate. 1/α is the alarm."""
        return exp(min(log_mean(self.wealth), 700.0))


def log_mean(logs: Sequence[float]) -> float:
    """The logarithm of the mean of numbers that are given by their logarithms."""
    most = max(logs)
    return most + log(sum([exp(one - most) for one in logs]) / len(logs))
