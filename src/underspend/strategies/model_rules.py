"""Send calls for one model to another, by the user's own explicit rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from underspend.core.call import Call, Role
from underspend.core.context import Context
from underspend.core.edits import Edit, SetModel
from underspend.core.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Rule:
    """`from` and `to` are exact model ids; `roles` limits the rule (main, subagent, compaction), all when empty."""

    model: str
    to: str
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules(Strategy):
    """The first rule that names the call's model decides; a pure function of the call, so a session stays on it."""

    name: ClassVar[str] = "model_rules"
    rules: tuple[Rule, ...] = field(default=())

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:  # noqa: ARG002  # the user's rule needs no context
        """One `SetModel` when a rule matches. Safety and other side calls of the client are never rerouted."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages":
            return
        for rule in self.rules:
            if rule.model == call.model and (not rule.roles or call.identity.role in rule.roles):
                yield SetModel(rule.to, why=f"your rule sends {rule.model} to {rule.to}")
                return
