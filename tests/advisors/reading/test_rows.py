from underspend.advisors.reading import Rows, first


def test_the_first_of_several_parts_are_the_first_of_all():
    assert first([[5, 1], [], [3, 2]], lambda each: -each, 3) == [5, 3, 2]
    assert first([[5, 1], [3]], lambda each: each) == [1, 3, 5]


def test_rows_are_made_once_and_only_when_looked_at():
    made = []

    def make():
        made.append(1)
        return [{"a": 1}, {"a": 2}]

    rows = Rows(2, make)
    assert len(rows) == 2
    assert made == []
    assert [row["a"] for row in rows] == [1, 2]
    assert (rows[0], rows[1:]) == ({"a": 1}, [{"a": 2}])
    assert rows == [{"a": 1}, {"a": 2}]
    assert rows != 5
    assert made == [1]
