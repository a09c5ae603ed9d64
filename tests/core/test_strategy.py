from __future__ import annotations

import pytest

from core.calls import call, context, proposing
from underspend.core.reply import Bill, Outcome, Reply
from underspend.core.strategy import State, Strategy


def test_only_decide_must_be_written() -> None:
    strategy = proposing()
    assert strategy.default_state is State.SHADOW
    strategy.learn(call(), Reply(outcome=Outcome.OK, status=200, metered=None, bill=Bill()), context())
    with pytest.raises(TypeError, match="decide"):
        Strategy()  # type: ignore[abstract]
