from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import call, context
from underspend.core.call import Identity, Role
from underspend.core.edits import SetModel
from underspend.strategies.model_rules import ModelRules, Rule

RULES = ModelRules(
    rules=(
        Rule("opus", "haiku", roles=(Role.SUBAGENT, Role.COMPACTION)),
        Rule("opus", "sonnet", roles=(Role.MAIN,)),
        Rule("fable", "opus"),
    )
)


@pytest.mark.parametrize(
    ("model", "role", "sent"),
    [
        ("opus", Role.SUBAGENT, "haiku"),
        ("opus", Role.COMPACTION, "haiku"),
        ("opus", Role.MAIN, "sonnet"),
        ("opus", Role.UNKNOWN, None),
        ("opus-5-5", Role.MAIN, None),
        ("fable", Role.UNKNOWN, "opus"),
        ("fable", Role.SIDE, None),
    ],
)
def test_the_first_rule_that_names_model_and_role_decides(model: str, role: Role, sent: str | None) -> None:
    edits = list(RULES.decide(call(model=model, identity=Identity(role=role)), context()))
    assert edits == ([] if sent is None else [SetModel(sent, why=f"your rule sends {model} to {sent}")])


def test_only_messages_are_sent_elsewhere() -> None:
    assert list(RULES.decide(call(model="fable", endpoint="count_tokens"), context())) == []


@given(st.integers(), st.integers(0), st.sampled_from(Role), st.sampled_from(["opus", "fable", "other"]))
def test_a_session_stays_where_its_rule_sends_it(time: int, size: int, role: Role, model: str) -> None:
    """A pure function of the model and the role: not of the time, the size or the money."""
    identity = Identity(role=role)
    early = list(RULES.decide(call(model=model, identity=identity), context()))
    late = list(RULES.decide(call(model=model, identity=identity, time=time, size=size), context(now=size)))
    assert early == late
