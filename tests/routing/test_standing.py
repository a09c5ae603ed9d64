import random

import pytest

from underspend.routing.beliefs import Arm, Standing
from underspend.routing.standing import MOST_POINTS, Apart, Point, Promise, Record, certificate, did

ARMS = (Arm("cheap"), Arm("dear"))
DAY = 86_400_000_000
NOBODY = (Apart(), Apart())
PROMISE = Promise()


def record(results, *, regrets=0, apart=DAY // 100):
    made = Record()
    for place in range(results):
        made.points.append(Point((), place * apart, done=place >= regrets, done_instead=True))
        if made.is_due():
            made.certify([0.0] * len(made.points), PROMISE)
    return made


def standing(made, promise=PROMISE, sides=NOBODY):
    return certificate("chat", ARMS, made, promise, sides)


def test_without_results_it_says_how_many_are_needed():
    paper = standing(Record())
    assert (paper.standing, paper.needed, paper.bound) == (Standing.COLLECTING, 115, 1.0)
    assert "115" in paper.why


def test_enough_results_without_a_regret_certify():
    paper = standing(record(150))
    assert (paper.standing, paper.regrets, paper.needed) == (Standing.CERTIFIED, 0, 0)
    assert paper.bound <= paper.epsilon
    assert paper.threshold <= 0.0


def test_fewer_are_told_what_is_missing():
    paper = standing(record(60))
    assert (paper.standing, paper.needed) == (Standing.COLLECTING, 55)


def test_a_volume_too_small_is_said():
    paper = standing(record(10, apart=10 * DAY))
    assert (paper.standing, paper.needed) == (Standing.NOT_CERTIFIABLE, None)
    assert "a day" in paper.why


def test_too_many_regrets_do_not_certify():
    paper = standing(record(300, regrets=30))
    assert paper.standing is Standing.COLLECTING
    assert paper.regrets == 30


def test_regrets_after_a_certificate_revoke_it_and_its_grounds():
    made = record(300)
    worse = Point((), 0, done=False, done_instead=True)
    for _ in range(20):
        made.watch(worse, 0.5)
    paper = standing(made)
    assert (paper.standing, paper.results) == (Standing.REVOKED, 0)


def test_regrets_of_tasks_that_would_not_be_routed_revoke_nothing():
    made = Record()
    made.points.extend(Point((), 0, done=place % 4 > 0, done_instead=True) for place in range(600))
    made.certify([0.5 if point.done else -0.5 for point in made.points], PROMISE)
    for _ in range(50):
        made.watch(Point((), 0, done=False, done_instead=True), -0.5)
    assert standing(made).standing is Standing.CERTIFIED


def test_a_revoked_class_is_certified_again_by_new_results():
    made = record(300)
    for _ in range(20):
        made.watch(Point((), 0, done=False, done_instead=True), 0.5)
    for _ in range(400):
        made.points.append(Point((), 0, done=True, done_instead=True))
        if made.is_due():
            made.certify([0.0] * len(made.points), Promise())
    assert standing(made).standing is Standing.CERTIFIED


def test_points_are_bounded_and_still_tested_when_full():
    made = record(MOST_POINTS + 300)
    assert len(made.points) == MOST_POINTS
    assert standing(made).standing is Standing.CERTIFIED


@pytest.mark.parametrize(("quality", "done"), [(0.0, False), (0.49, False), (0.5, True), (1.0, True)])
def test_half_done_is_done(quality, done):
    assert did(quality) is done


def sides(rate, instead, results, seed=1):
    luck = random.Random(seed)
    both = (Apart(), Apart())
    for place in range(results):
        for side, chance in zip(both, (rate, instead), strict=True):
            side.add(done=luck.random() < chance, at=place * DAY // 1_000)
    return both


def test_arms_tried_on_different_tasks_are_certified_by_their_drop():
    paper = standing(Record(), Promise(epsilon=0.05), sides(0.95, 0.95, 4_000))
    assert (paper.standing, paper.threshold) == (Standing.CERTIFIED, -1.0)


def test_a_drop_too_large_is_not_certifiable():
    paper = standing(Record(), Promise(epsilon=0.05), sides(0.7, 0.95, 400))
    assert paper.standing is Standing.NOT_CERTIFIABLE
    assert "fewer were done" in paper.why


def test_a_drop_not_yet_known_is_collected_for():
    paper = standing(Record(), Promise(epsilon=0.05), sides(0.95, 0.95, 100))
    assert paper.standing is Standing.COLLECTING
    assert paper.needed is not None
    assert paper.needed > 0
