from underspend.core.holds import Claim, HoldsError, HoldsLostError, Override, Standing, cap_in_force
from underspend.core.windows import FOREVER

CLAIM = Claim("b", "b|", "b|web", 100, enforced=True, bucket=0, since=0, until=FOREVER, forget=1)


def test_a_standing_says_what_is_left_and_by_how_much_an_amount_is_too_much() -> None:
    standing = Standing("b", "b|", 100, 30, 20)
    assert (standing.used, standing.room, standing.short(50), standing.short(51)) == (50, 50, 0, 1)
    passed = Standing("b", "b|", 100, 130, 0)
    assert (passed.room, passed.short(1)) == (0, 31)
    paused = Standing("b", "b|", None, 130, 0)
    assert (paused.room, paused.short(10**9)) == (None, 0)


def test_an_override_of_an_account_goes_before_its_budgets_and_neither_lowers_a_cap() -> None:
    assert cap_in_force(CLAIM, ()) == 100
    assert cap_in_force(CLAIM, (Override("b", 200, 1), Override("b|web", 150, 1))) == 150
    assert cap_in_force(CLAIM, (Override("b", 200, 1), Override("c", 300, 1))) == 200
    assert cap_in_force(CLAIM, (Override("b", 50, 1),)) == 100
    assert cap_in_force(CLAIM, (Override("b", None, 1),)) is None


def test_errors_say_where_and_what() -> None:
    assert (
        str(HoldsError(where="here", problem="it is full")) == "The budgets' store at here cannot be used: it is full."
    )
    lost = HoldsLostError(where="here", series=("a|", "b|"))
    assert lost.series == ("a|", "b|")
    assert "the ledger's sums of a|, b| must be restored first" in str(lost)
