import json

from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.routing.beliefs import Arm, Result
from underspend.routing.knowledge import Knowledge
from underspend.routing.rows import Row

ARMS = [Arm("a"), Arm("b", "high", "openai")]
RESULTS = st.builds(
    Result,
    task=st.sampled_from(["chat", "maths/formal", 'odd "name"']),
    arm=st.sampled_from(ARMS),
    quality=st.floats(0, 1),
    cost=st.integers(0, 10**12),
    at=st.integers(0, 10**16),
    features=st.lists(st.integers(0, 2**17 - 1), max_size=9, unique=True).map(tuple),
    weight=st.floats(0.1, 1),
    randomised=st.booleans(),
    paired=st.none() | st.floats(0, 1),
    instead_of=st.sampled_from(ARMS),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(RESULTS, max_size=40))
def test_any_knowledge_is_put_back_as_it_was(results):
    knowledge = Knowledge()
    for one in results:
        knowledge.learn(one)
    assert Knowledge.from_rows(knowledge.rows()) == knowledge


def test_a_row_is_text_and_named_once():
    knowledge = Knowledge()
    for place in range(30):
        knowledge.learn(
            Result(
                task="chat",
                arm=ARMS[0],
                quality=1,
                cost=5,
                at=place,
                features=(2, 3),
                randomised=place > 9,
                paired=1,
                instead_of=ARMS[1],
            )
        )
    rows = list(knowledge.rows())
    assert all(isinstance(row, Row) and all(isinstance(part, str) for part in row) for row in rows)
    assert len({row[:2] for row in rows}) == len(rows)
    kinds = {"state", "contest", "tally", "residual", "forest", "tree", "arm", "lesson", "record", "point"}
    assert {row.kind for row in rows} == kinds
    assert json.loads(next(row.value for row in rows if row.kind == "point"))[1:3] == [True, True]
