"""The shelf of advisors: findings without a live action. Each is one file and a pure function of a history."""

from underspend.core.advisor import Advisor

BUILTIN: tuple[type[Advisor], ...] = ()
