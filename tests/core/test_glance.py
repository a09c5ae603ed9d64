from core.calls import FlatPrices, call, proposing
from underspend.core.edits import Warn
from underspend.core.glance import Glance


def test_a_strategy_that_cannot_tell_wants_to_see_the_call() -> None:
    glance = Glance(
        call=call(), pricing=FlatPrices(), begins=True, has_breakpoints=False, asks_for_an_hour=False, came_in=0
    )
    assert glance.calls is None
    assert proposing(Warn(why="w")).may_act_on(glance)
