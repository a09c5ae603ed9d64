from reports.whatif.results import better, idle, rich


def test_the_waterfall_goes_from_the_record_to_the_policy():
    made = rich()
    rows = made.waterfall
    assert [name for name, _, _ in rows] == ["as recorded", "lifetime", "trim", "with this policy"]
    assert rows[0][2] == made.outcome.recorded
    assert rows[-1][2] == rows[-2][2] == made.outcome.replayed


def test_strategies_that_did_nothing_are_idle():
    assert idle().idle == ["nothing"]
    assert idle().parts == []
    assert [part.name for part in rich().parts] == ["lifetime", "trim"]


def test_hurt_are_those_that_became_dearer_worst_first():
    made = rich()
    assert [group.name for group in made.hurt] == ["s-2"]
    assert better().hurt == []


def test_assumptions_are_those_that_mattered():
    assert [each.name for each in better().assumptions] == ["content", "content_tokens"]
    assert list(idle().assumptions) == []
