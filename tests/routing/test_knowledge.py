import random

import pytest

from underspend.routing.beliefs import Arm, Asked, Result, Standing
from underspend.routing.features import describe
from underspend.routing.knowledge import MOST_ARMS, MOST_CLASSES, MOST_LESSONS, Knowledge
from underspend.routing.residual import Contest
from underspend.routing.standing import Promise

CHEAP, DEAR = Arm("claude-haiku-9"), Arm("claude-opus-9")
EASY = describe(Asked(text="Who wrote Faust?"))
HARD = describe(Asked(text="Which of all the many rivers there are is, everything considered, the most thorny one?"))


def result(described, quality, *, arm=CHEAP, paired=None, **more):
    task, found = described
    instead = DEAR if paired is not None else None
    told = {"cost": 10**9 if arm == CHEAP else 10**10, "at": 0} | more
    return Result(task=task, features=found, arm=arm, quality=quality, paired=paired, instead_of=instead, **told)


def taught(rounds=80):
    knowledge = Knowledge()
    for _ in range(rounds):
        knowledge.learn(result(EASY, 1.0, paired=1.0))
        knowledge.learn(result(HARD, 0.0, paired=1.0))
    return knowledge


def drawn(knowledge, count, *, regrets=0):
    for place in range(count):
        knowledge.learn(result(EASY, float(place >= regrets), paired=1.0, randomised=True, at=place))
    return knowledge


def test_both_are_of_one_class():
    assert EASY[0] == HARD[0] == "short-question"


def test_within_a_class_features_tell_tasks_apart_once_they_have_proved_themselves():
    knowledge = taught()
    assert knowledge.contests["short-question"].won
    assert knowledge.belief(*EASY, CHEAP).quality > 0.7
    assert knowledge.belief(*HARD, CHEAP).quality < 0.4
    assert knowledge.score(*EASY, CHEAP, DEAR) > knowledge.score(*HARD, CHEAP, DEAR) + 0.3


def test_before_that_all_tasks_of_a_class_are_alike():
    knowledge = taught(rounds=3)
    assert knowledge.belief(*EASY, CHEAP) == knowledge.belief(*HARD, CHEAP)


def test_where_outcomes_are_luck_features_are_not_used():
    knowledge, luck = Knowledge(), random.Random(1)
    for _ in range(300):
        knowledge.learn(result(luck.choice((EASY, HARD)), float(luck.random() < 0.5)))
    assert knowledge.belief(*EASY, CHEAP).quality == pytest.approx(knowledge.belief(*HARD, CHEAP).quality, abs=0.1)


def test_a_class_never_met_is_told_by_its_statistics_alone():
    knowledge = taught()
    assert knowledge.score("translation", EASY[1], CHEAP, DEAR) == knowledge.score("translation", HARD[1], CHEAP, DEAR)


def test_a_paired_result_teaches_of_both_arms_and_costs_of_the_one_billed():
    knowledge = taught()
    assert knowledge.belief(*EASY, DEAR).results == 160
    assert knowledge.belief(*EASY, DEAR).cost is None
    assert knowledge.belief(*EASY, CHEAP).cost == pytest.approx(10**9, abs=1)


def test_results_drawn_by_chance_calibrate_and_teach_nothing():
    knowledge = taught()
    before = (knowledge.belief(*EASY, CHEAP), knowledge.score(*HARD, CHEAP, DEAR))
    drawn(knowledge, 300)
    assert (knowledge.belief(*EASY, CHEAP), knowledge.score(*HARD, CHEAP, DEAR)) == before
    assert knowledge.certificate(*EASY, CHEAP, DEAR).standing is Standing.CERTIFIED


def test_a_certified_class_does_not_cover_tasks_below_its_threshold():
    knowledge = taught()
    for place in range(600):
        knowledge.learn(result((EASY, HARD)[place % 2], float(place % 2 == 0), paired=1.0, randomised=True))
    assert knowledge.certificate(*EASY, CHEAP, DEAR).standing is Standing.CERTIFIED
    below = knowledge.certificate(*HARD, CHEAP, DEAR)
    assert below.standing is Standing.COLLECTING
    assert "this task has" in below.why
    assert [paper.standing for paper in knowledge.certificates()] == [Standing.CERTIFIED]


def test_too_few_or_too_bad_results_certify_nothing():
    assert drawn(taught(), 60).certificate(*EASY, CHEAP, DEAR).standing is Standing.COLLECTING
    assert drawn(taught(), 300, regrets=40).certificate(*EASY, CHEAP, DEAR).standing is Standing.COLLECTING


def test_the_promise_is_the_users():
    knowledge = Knowledge(promise=Promise(epsilon=0.2))
    assert drawn(knowledge, 40).certificate(*EASY, CHEAP, DEAR).epsilon == 0.2
    assert drawn(knowledge, 40).certificate(*EASY, CHEAP, DEAR).standing is Standing.CERTIFIED


def test_arms_put_to_different_tasks_count_too():
    knowledge = Knowledge(promise=Promise(epsilon=0.2))
    for arm in (CHEAP, DEAR):
        for place in range(400):
            knowledge.learn(result(EASY, 1.0, arm=arm, randomised=True, at=place))
    assert knowledge.certificate(*EASY, CHEAP, DEAR).standing is Standing.CERTIFIED


def test_pairs_known_only_from_different_tasks_are_listed():
    knowledge = Knowledge(promise=Promise(epsilon=0.2))
    for arm in (CHEAP, DEAR):
        for place in range(400):
            knowledge.learn(result(EASY, 1.0, arm=arm, randomised=True, at=place))
    papers = list(knowledge.certificates())
    assert {(paper.arm, paper.instead_of) for paper in papers} == {(CHEAP, DEAR), (DEAR, CHEAP)}
    assert {paper.standing for paper in papers} == {Standing.CERTIFIED}
    drawn(knowledge, 3)
    assert len(list(knowledge.certificates())) == 2


def lucky(rounds, *, gain=0.0):
    """Two classes whose tasks both arms do by luck; in one of them the dear arm does more."""
    knowledge, luck = Knowledge(), random.Random(2)
    other = ("translation", HARD[1])
    for _ in range(rounds):
        for described, more in ((EASY, 0.0), (other, gain)):
            knowledge.learn(result(described, float(luck.random() < 0.4)))
            knowledge.learn(result(described, float(luck.random() < 0.5 + more), arm=DEAR))
    return [knowledge.score(*described, DEAR, CHEAP) for described in (EASY, other)], knowledge


def test_where_it_is_luck_by_how_much_one_arm_is_better_no_task_is_told_from_another():
    scores, knowledge = lucky(300)
    assert scores == [0.0, 0.0]
    assert knowledge.worth(*EASY, DEAR, CHEAP) == 0.0


def test_where_one_arm_gains_more_in_one_class_it_is_told():
    scores, _ = lucky(300, gain=0.4)
    assert scores[1] > scores[0] + 0.2


def paying(*, gains, costs=10**10):
    """What a translation is worth beside an easy question, on which the dear arm always gains."""
    knowledge, other = Knowledge(), ("translation", HARD[1])
    for place in range(60):
        for arm in (CHEAP, DEAR):
            more = {"cost": costs} if arm == DEAR else {}
            knowledge.learn(result(EASY, float(arm == DEAR or place % 2), arm=arm))
            knowledge.learn(result(other, float(arm == DEAR or place % 60 >= gains), arm=arm, **more))
    return knowledge, other


def test_a_task_that_pays_for_the_dear_arm_is_worth_its_score():
    knowledge, other = paying(gains=30)
    for described in (EASY, other):
        assert knowledge.worth(*described, DEAR, CHEAP) == knowledge.score(*described, DEAR, CHEAP) > 0


def test_a_task_that_does_not_pay_comes_after_all_that_do():
    knowledge, other = paying(gains=3, costs=10**12)
    assert knowledge.score(*other, DEAR, CHEAP) > 0 > knowledge.worth(*other, DEAR, CHEAP)
    assert knowledge.worth(*EASY, DEAR, CHEAP) > 0


def test_of_tasks_that_do_not_pay_the_dearer_comes_later():
    worth = [paying(gains=3, costs=costs) for costs in (10**12, 10**13)]
    dear, dearer = (knowledge.worth(*other, DEAR, CHEAP) for knowledge, other in worth)
    assert dearer < dear < 0


def test_where_there_are_many_results_the_trees_order_tasks_whose_class_foretold_as_well():
    knowledge = taught()
    knowledge.contests["short-question"] = Contest(lead=-1.0, results=500)
    assert knowledge.belief(*EASY, CHEAP).quality == knowledge.belief(*HARD, CHEAP).quality
    assert knowledge.score(*EASY, CHEAP, DEAR) > knowledge.score(*HARD, CHEAP, DEAR) + 0.1


def test_with_few_results_a_class_whose_features_lost_is_one():
    knowledge = taught(rounds=20)
    knowledge.contests["short-question"] = Contest(lead=-1.0, results=500)
    assert knowledge.score(*EASY, CHEAP, DEAR) == knowledge.score(*HARD, CHEAP, DEAR)


def test_without_costs_a_task_is_worth_its_score():
    knowledge = Knowledge()
    for place in range(40):
        knowledge.learn(result(EASY, float(place % 2), cost=0))
        knowledge.learn(result(EASY, 1.0, arm=DEAR, cost=0))
    assert knowledge.worth(*EASY, DEAR, CHEAP) == knowledge.score(*EASY, DEAR, CHEAP) > 0.1


def test_equal_results_give_equal_knowledge():
    assert taught() == taught()


def test_rows_put_back_go_on_as_the_original():
    knowledge = drawn(taught(30), 120)
    copy = Knowledge.from_rows(reversed(list(knowledge.rows())))
    assert copy == knowledge
    for one in (knowledge, copy):
        one.learn(result(HARD, 0.0, paired=1.0))
        drawn(one, 30, regrets=3)
    assert copy == knowledge


def test_rows_of_unknown_kinds_or_forms_are_left_out():
    rows = [*taught(3).rows()]
    rows += [
        type(rows[0])("unheard-of", "x", "1"),
        type(rows[0])("contest", "chat", "no json"),
        type(rows[0])("residual", "[]", "x"),
    ]
    assert Knowledge.from_rows(rows) == taught(3)


def test_memory_is_bounded():
    knowledge = Knowledge()
    for place in range(MOST_CLASSES + 50):
        knowledge.learn(result((f"sub-agent/type-{place}", EASY[1]), 1.0, arm=Arm(f"model-{place % (MOST_ARMS + 9)}")))
    for _ in range(MOST_LESSONS):
        knowledge.learn(result(EASY, 1.0))
    assert len(knowledge.contests) <= MOST_CLASSES
    assert len(knowledge.arms) <= MOST_ARMS
    assert len(knowledge.lessons) == MOST_LESSONS
    assert knowledge.belief("sub-agent/type-9999", (), CHEAP).results >= 0


def test_a_certificate_keeps_its_measure_whatever_the_evidence_for_telling_tasks_apart():
    scores, knowledge = lucky(300)
    assert scores == [0.0, 0.0]
    for place in range(600):
        knowledge.learn(result((EASY, HARD)[place % 2], 1.0, paired=1.0, randomised=True))
    paper = knowledge.certificate(*EASY, CHEAP, DEAR)
    assert paper.standing is Standing.CERTIFIED
    assert paper.threshold < 0


def test_a_certificate_by_different_tasks_is_watched_and_revoked() -> None:
    cheap, dear = Arm("cheap"), Arm("dear")
    knowledge = Knowledge(promise=Promise(epsilon=0.05))

    def drawn(arm: Arm, *, done: bool, at: int) -> None:
        knowledge.learn(Result(task="t", arm=arm, quality=float(done), cost=1, at=at, randomised=True))

    for at in range(600):
        drawn(dear, done=True, at=at)
        drawn(cheap, done=True, at=at)
    assert knowledge.certificate("t", (), cheap, dear).standing is Standing.CERTIFIED
    again = Knowledge.from_rows(knowledge.rows(), knowledge.promise)
    for known in (knowledge, again):
        for at in range(600, 800):
            known.learn(Result(task="t", arm=cheap, quality=float(at % 3 != 0), cost=1, at=at))
        paper = known.certificate("t", (), cheap, dear)
        assert paper.standing is Standing.REVOKED
        assert paper.why.startswith("more tasks were done worse than promised")
        kept = Knowledge.from_rows(known.rows(), known.promise)
        assert kept.certificate("t", (), cheap, dear).standing is Standing.REVOKED


def test_a_watched_arm_that_goes_on_as_it_was_keeps_its_certificate() -> None:
    cheap, dear = Arm("cheap"), Arm("dear")
    knowledge = Knowledge(promise=Promise(epsilon=0.05))
    for at in range(2_000):
        for arm in (cheap, dear):
            knowledge.learn(
                Result(task="t", arm=arm, quality=float(at % 50 != 0), cost=1, at=at, randomised=at < 1_500)
            )
    assert knowledge.certificate("t", (), cheap, dear).standing is Standing.CERTIFIED
