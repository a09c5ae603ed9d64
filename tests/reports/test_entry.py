from underspend.core.usage import Usage
from underspend.reports.entry import entry


def test_a_published_row_may_lack_what_is_not_known_yet():
    call = entry({"id": "a", "started_at": 5, "state": "open", "model_asked": "m", "input_tokens": None})
    assert (call.model, call.tokens, call.paid, call.evidence) == ("m", Usage(), 0, None)


def test_saved_and_who_paid():
    call = entry({"id": "a", "started_at": 5, "cost_pico": 3, "without_us_pico": 5, "billing": "oauth"})
    assert (call.saved, call.on_plan) == (2, True)


def test_a_call_that_was_answered_here_is_no_guess():
    answered = entry({"id": "a", "started_at": 5, "outcome": "answered", "evidence": "estimated"})
    assert (answered.answered, answered.guessed) == (True, False)
    cut = entry({"id": "a", "started_at": 5, "outcome": "cut", "evidence": "estimated"})
    assert (cut.answered, cut.guessed) == (False, True)
