from __future__ import annotations

import pytest

from reports.knowledge_rows import HAIKU, OPUS, keep, learned
from reports.ledger_rows import add_decision, new_ledger
from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.reports.routes import flat, name_of, routes, routes_shape
from underspend.routing.beliefs import Arm, Standing
from underspend.strategies.auto_model import AutoModel
from underspend.strategies.cap_output import CapOutput

STEPS = (Step(CapOutput(), State.OFF), Step(AutoModel(epsilon_percent=3), State.SHADOW))


@pytest.fixture
def engine(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def test_nothing_learned(engine):
    made = routes(engine, STEPS)
    assert (made.classes, made.taken) == ((), ())
    assert (made.mode, made.promise.epsilon, made.promise.delta) == ("observe", 0.03, 0.1)


def test_a_router_that_is_off_says_so(engine):
    assert routes(engine, (Step(AutoModel(), State.OFF),)).mode == "off"


def test_each_class_has_its_models_with_what_is_believed_of_them(engine):
    keep(engine, learned())
    (only,) = routes(engine, STEPS).classes
    assert only.name == "code generation"
    assert {way.arm for way in only.ways} == {OPUS, HAIKU}
    for way in only.ways:
        assert way.belief.results == 30
        assert 0.8 < way.belief.quality < 0.95
        assert way.belief.quality_low < way.belief.quality
        assert way.papers == ()


@pytest.mark.parametrize(("drawn", "standing"), [(25, Standing.COLLECTING), (600, Standing.CERTIFIED)])
def test_a_certificate_stands_with_the_model_it_is_for(engine, drawn, standing):
    keep(engine, learned(drawn=drawn))
    (only,) = routes(engine, STEPS).classes
    papers = {way.arm: way.papers for way in only.ways}
    assert papers[OPUS] == ()
    (paper,) = papers[HAIKU]
    assert (paper.standing, paper.instead_of, paper.results) == (standing, OPUS, drawn)


def test_what_the_router_proposed_is_counted(engine):
    for number in range(3):
        detail = "model → claude-haiku-5-5"
        add_decision(engine, f"call{number}", strategy="auto_model", detail=detail, applied=number == 0)
    add_decision(engine, "other")
    assert [(each.what, each.applied, each.calls) for each in routes(engine, STEPS).taken] == [
        ("model → claude-haiku-5-5", False, 2),
        ("model → claude-haiku-5-5", True, 1),
    ]


def test_as_json_and_as_rows(engine):
    keep(engine, learned(drawn=600))
    made = routes(engine, STEPS)
    shape = routes_shape(made)
    (only,) = shape["classes"]
    haiku = next(each for each in only["models"] if each["model"] == "claude-haiku-5-5")
    assert haiku["certificates"][0]["standing"] == "certified"
    assert [row["task"] for row in flat(made)] == ["code generation"] * 2
    assert "certificates" not in flat(made)[0]


@pytest.mark.parametrize(
    ("arm", "name"),
    [(OPUS, "claude-opus-5-5"), (Arm("m", "low"), "m@low"), (Arm("gpt-6-luna", None, "openai"), "openai:gpt-6-luna")],
)
def test_an_arm_is_named_as_settings_write_it(arm, name):
    assert name_of(arm) == name
