from hypothesis import given
from hypothesis import strategies as st

from underspend.reports.audit.layout import BOLD, WIDTH, grid, heading, prose, shortened


def texts(lines):
    return [each.text for each in lines]


def test_a_table_with_a_footer():
    made = list(
        grid([("model", "l"), ("paid", "r")], [["opus", "$1.00"], ["haiku-5", "$12.00"]], footer=["total", "$13.00"])
    )
    assert texts(made) == ["model      paid", "opus      $1.00", "haiku-5  $12.00", "total    $13.00"]
    assert [made[0].style, made[-1].style] == [BOLD, BOLD]


def test_no_rows_are_no_table():
    assert list(grid([("a", "l")], [])) == []


@given(
    st.lists(st.tuples(st.text("ab ", max_size=150), st.text("cd", max_size=150), st.integers(0, 10**12)), min_size=1)
)
def test_no_line_is_wider_than_the_width(rows):
    made = grid([("one", "l"), ("two", "l"), ("n", "r")], [[a, b, f"{n:,}"] for a, b, n in rows])
    assert max(map(len, texts(made))) <= WIDTH


def test_words_are_wrapped_and_their_own_lines_stay():
    assert texts(prose("a" * 60 + " " + "b" * 60 + "\nend", indent=2)) == ["  " + "a" * 60, "  " + "b" * 60, "  end"]
    assert texts(prose("")) == [""]


def test_a_heading_stands_apart():
    assert texts(heading("x")) == ["", "x"]


def test_the_middle_is_left_out():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abc", 5) == "abc"
