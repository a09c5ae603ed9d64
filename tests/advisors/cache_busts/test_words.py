from __future__ import annotations

import re

from underspend.advisors.cache_busts.causes import Cause
from underspend.advisors.cache_busts.words import OF
from underspend.core.advisor import Urgency


def test_every_cause_has_its_words() -> None:
    assert set(OF) == set(Cause)


def test_every_habit_says_what_to_do_and_no_other_cause_promises_a_saving() -> None:
    habits = {cause for cause, words in OF.items() if words.urgency is Urgency.HABIT}
    # The advice on short breaks is computed from the history.
    assert {cause for cause in habits if not OF[cause].fix} == {Cause.SHORT_BREAK}
    assert {words.urgency for words in OF.values()} == {Urgency.HABIT, Urgency.FYI}


def test_only_variables_that_exist_are_named() -> None:
    named = {name for words in OF.values() for name in re.findall(r"\b[A-Z]+_[A-Z_0-9]+", words.why + words.fix)}
    assert named == {"ENABLE_TOOL_SEARCH"}
