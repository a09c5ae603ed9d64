from hypothesis import given
from hypothesis import strategies as st

from underspend.advisors.memory_text import TOP, rows_of, sections_of, sent_bytes

TEXT = """intro
# One #
body
```sh
# not a heading
<!-- not a comment -->
```
<!-- hidden
still hidden -->
## Two
<!-- inline --> seen
<!-- never closed
"""


def test_lines_know_their_section_and_whether_they_are_sent():
    rows = rows_of(TEXT)
    assert [row.section for row in rows] == [TOP, *["One"] * 8, *["Two"] * 3]
    assert [row.number for row in rows if row.heading] == [2, 10]
    assert [row.number for row in rows if row.fenced] == [4, 5, 6, 7]
    assert [row.number for row in rows if row.hidden] == [8, 9]


def test_sections_hold_every_line_once():
    sections = sections_of(rows_of(TEXT))
    assert [(section.title, len(section.rows)) for section in sections] == [(TOP, 1), ("One", 8), ("Two", 3)]
    assert [row.text for row in sections[1].body] == [
        "body",
        "```sh",
        "# not a heading",
        "<!-- not a comment -->",
        "```",
    ]
    assert sections[2].sent_bytes == len("## Two\n<!-- inline --> seen\n<!-- never closed\n")


def test_line_ends_of_any_kind():
    assert [row.text for row in rows_of("a\r\nb\n")] == ["a", "b"]
    assert [row.text for row in rows_of("a\x0bb\u2028c")] == ["a\x0bb\u2028c"]
    assert rows_of("") == []
    assert sections_of([]) == []


def test_a_longer_fence_is_not_closed_by_a_shorter_one():
    assert [row.fenced for row in rows_of("````\n```\n````\nout")] == [True, True, True, False]


@given(st.text())
def test_no_line_is_lost(text):
    rows = rows_of(text)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row for section in sections_of(rows) for row in section.rows] == rows
    assert all(sent_bytes(row) >= 0 for row in rows)
