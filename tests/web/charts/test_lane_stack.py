import pytest

from underspend.web.charts.lane_stack import Column, axis, lane_stack

DOLLAR = 10**12


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, [0, 1]),
        (DOLLAR * 20.5, [0, 5, 10, 15, 20, 25]),
        (DOLLAR * 5, [0, 1, 2, 3, 4, 5]),
        (DOLLAR * 0.07, [0, 0.02, 0.04, 0.06, 0.08]),
        (DOLLAR * 1234, [0, 500, 1000, 1500]),
    ],
)
def test_ticks_are_round_and_reach_the_tallest_column(most, ticks):
    assert axis(int(most)) == [int(tick * DOLLAR) for tick in ticks]


def test_a_tiny_amount_still_has_an_axis():
    assert axis(1)[-1] >= 1


def test_columns_are_links_that_say_their_figures():
    column = Column(name="20 Nov", title="Friday", href="?a=1&b=2", lanes={"input": DOLLAR, "output": DOLLAR}, calls=1)
    made = lane_stack([column], label="Paid per day")
    assert 'aria-label="Friday: $2.00 paid, 1 call, output $1.00, fresh input $1.00"' not in made
    assert 'aria-label="Friday: $2.00 paid, 1 call, fresh input $1.00, output $1.00"' in made
    assert 'href="?a=1&amp;b=2"' in made
    assert '<rect x="12" y="500" width="76" height="500" class="lane-output">' in made
    assert '<rect x="12" y="0" width="76" height="500" class="lane-input">' in made


def test_few_names_under_many_columns_and_always_the_last():
    columns = [Column(name=f"n{n}", title="", href="", lanes={}) for n in range(30)]
    made = lane_stack(columns, label="")
    assert made.count("<span style=") <= 8
    assert ">n29<" in made


def test_no_columns():
    assert 'class="stack"' in lane_stack([], label="nothing")
