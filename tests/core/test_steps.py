import pytest

from core.calls import call, result
from underspend.core.call import Block, Identity, Section, Verb
from underspend.core.evidence import Evidence
from underspend.core.reply import Bill, Outcome, Reply
from underspend.core.steps import prompt_of, step_after, step_of, uses_of


def said(role, message, kind="text", **more):
    base = {"section": Section.MESSAGES, "kind": kind, "label": role, "digest": b"d", "size": 1, "tokens": 1}
    return Block(**{**base, "message": message, "role": role, **more})


def test_the_results_behind_the_last_reply_are_the_uses_in_their_order():
    blocks = [
        result("t0", message=2),
        said("assistant", 3),
        result("t1", message=4, label="Bash result", verb=Verb.RUN, subject=b"ls", is_error=True, says=b"no"),
        result("t2", message=4, label="Read result", verb=Verb.READ, subject=b"f", span=(1, 9), says=b"yes"),
        said("user", 4),
    ]
    first, second = uses_of(blocks)
    assert first == ("Bash", Verb.RUN, b"ls", b"no", True)
    assert (second.tool, second.what, second.failed) == ("Read", b"f1,9", False)


def test_a_typed_prompt_and_a_reply_at_the_end_show_no_uses():
    assert uses_of([said("user", 0)]) == ()
    assert uses_of([result(), said("assistant", 3)]) == ()
    assert uses_of([]) == ()


def test_a_result_without_its_use_goes_by_its_own_digest():
    (use,) = uses_of([result("t1", label="user", says=None, verb=None)])
    assert (use.verb, use.what, use.says) == (Verb.OTHER, b"", b"t1")


def test_equal_prompts_are_equal_only_with_all_that_is_asked():
    base = call(blocks=[said("user", 0)])
    assert prompt_of(base) == prompt_of(call(blocks=[said("user", 0)], id="other", time=5))
    others = [call(blocks=[said("user", 0)], model="m"), call(blocks=[said("user", 0, digest=b"e")]), call()]
    assert len({prompt_of(base), *map(prompt_of, others)}) == 4
    assert prompt_of(call()) == b""


def test_a_step_has_the_calls_names_and_cost():
    identity = Identity(session="s", agent="a", key="k", turn="t")
    made = step_of(call(identity=identity, time=7), cost=9, evidence=Evidence.ESTIMATED)
    assert (made.at, made.session, made.agent, made.key, made.turn) == (7, "s", "a", "k", "t")
    assert (made.cost, made.evidence) == (9, Evidence.ESTIMATED)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_call_that_was_not_answered_shows_its_cost_alone(outcome):
    asked = call(blocks=[said("assistant", 1), result("t1", message=2)])
    bill = Bill(total=7, evidence=Evidence.ESTIMATED)
    made = step_after(asked, Reply(outcome=outcome, status=200, metered=None, bill=bill))
    assert (made.cost, made.evidence) == (7, Evidence.ESTIMATED)
    assert bool(made.uses) is bool(made.prompt) is (outcome is Outcome.OK)
