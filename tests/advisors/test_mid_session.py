from advisors.histories_by_hand import HAIKU, MINUTE, NOV, OPUS, around, history, line, reply, typed, usage
from underspend.advisors.mid_session import mid_session, switching


def findings(*timelines):
    past = history(*timelines)
    return list(switching("dear-models", [mid_session(past, around(past))]))


def turn(name, count, read, **known):
    replies = [
        reply(f"{name}{index}", usage(read=read, out=2000), at=NOV + index * MINUTE, tools=("Read",), **known)
        for index in range(count)
    ]
    return [typed(), *replies]


EDIT = (typed(), reply("edit", usage(), tools=("Edit",)))


def test_a_long_turn_in_a_small_context_would_have_gained():
    """20 replies: 10,000 read and 2,000 written out each; the rewrite of 10,000 is soon earned."""
    (found,) = findings(line(*EDIT, *turn("a", 20, 10_000)))
    # paid 20 × (0.002 + 0.04) = 0.84; would 0.025 + 19 × 0.001 + 20 × 0.02 = 0.444
    assert "would have saved $0.396" in found.title
    assert found.amount == 0
    assert found.rows[0]["rewrite"] == "$0.0250"


def test_turns_add_up():
    (found,) = findings(line(*EDIT, *turn("a", 1, 100_000), *turn("b", 1, 100_000)))
    # each: paid 0.02 + 0.04, would 0.25 + 0.02
    assert "2 turns that only read would have cost $0.420 more" in found.title


def test_where_there_is_nothing_to_compare():
    assert findings() == []
    assert findings(line(*EDIT)) == []
    assert findings(line(*EDIT, *turn("a", 1, 10, model=HAIKU))) == []  # nothing is cheaper
    assert findings(line(*turn("a", 1, 10_000, model=OPUS))) == []  # the whole session only read
    assert findings(line(*EDIT, *turn("a", 1, 10, model="claude-nobody"))) == []
