from __future__ import annotations

from underspend.testing.fake_upstream.answered import Answered, json_answer, raw_answer


def test_a_json_answer_is_one_piece() -> None:
    made = json_answer({"a": 1}, status=201)
    assert (made.status, made.pieces[0].data) == (201, b'{"a":1}')
    assert made.headers == [("content-type", "application/json")]


def test_an_empty_raw_answer_has_no_piece() -> None:
    assert raw_answer(b"", "text/plain").pieces == []
    assert raw_answer(b"x", "text/plain").pieces[0].data == b"x"


def test_by_default_an_answer_costs_nothing() -> None:
    made = Answered()
    made.began()
    assert made.settle([]) is None
